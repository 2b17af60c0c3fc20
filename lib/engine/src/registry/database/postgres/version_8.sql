-- Version 8: the list of an order is shared out to stations, and the audit log says which user of the database has
-- written a row. Run by the owner after schema.sql, or once on a registry of version 7; in one transaction.
SET LOCAL search_path = c8y_pki, pg_catalog;

-- The list of an order in ranges: the positions from `first` on, up to `past` and without it. The run that has taken a
-- range has it until its lease ends, by the clock of this server. After that another run may take it: each time the
-- epoch is another one, so that the former run cannot record anything for the range any more.
CREATE TABLE order_range (
    of_order bigint NOT NULL REFERENCES device_order,
    first bigint NOT NULL,
    past bigint NOT NULL,
    run text COLLATE "C",
    station text COLLATE "C",
    epoch bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    done boolean NOT NULL DEFAULT false,
    PRIMARY KEY (of_order, first)
);

-- Makes the ranges of an order, unless it has some. One that is done is opened again if a device in it has no live
-- certificate: it failed, or was revoked.
CREATE FUNCTION share_order(order_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = c8y_pki, pg_catalog, pg_temp AS $$
DECLARE
    total bigint;
    size bigint;
BEGIN
    -- Two stations may begin at once.
    SELECT o.devices INTO STRICT total FROM device_order AS o WHERE o.id = order_id FOR UPDATE;
    -- Large ones share the syncs of disks; small lists are shared out all the same.
    size := greatest(1, least(512, total / 24));
    IF NOT EXISTS (SELECT 1 FROM order_range AS r WHERE r.of_order = order_id) THEN
        INSERT INTO order_range (of_order, first, past)
            SELECT order_id, f, least(f + size, total) FROM generate_series(0, total - 1, size) AS f;
    END IF;
    UPDATE order_range AS r SET done = false, run = NULL, station = NULL
    WHERE r.of_order = order_id AND r.done AND EXISTS (
        SELECT 1 FROM order_device AS d
        WHERE d.of_order = order_id AND d.position >= r.first AND d.position < r.past
          AND NOT EXISTS (SELECT 1 FROM certificate_row AS c
                          WHERE c.folded_id = d.folded_id AND c.status = 'live'));
END $$;

-- Takes a range for a run: one that nobody has, or one whose lease has ended. None if there is no such range, or if the
-- order was taken back.
CREATE FUNCTION take_range(order_id bigint, new_run text, new_station text,
    OUT range_first bigint, OUT range_past bigint, OUT range_epoch bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = c8y_pki, pg_catalog, pg_temp AS $$
BEGIN
    -- The lease of a range that is being recorded may have ended: its row is locked.
    SELECT r.first INTO range_first FROM order_range AS r
    WHERE r.of_order = order_id AND NOT r.done AND (r.run IS NULL OR r.lease_until < clock_timestamp())
      AND EXISTS (SELECT 1 FROM device_order AS o WHERE o.id = order_id AND o.taken_back IS NULL)
    ORDER BY r.run IS NOT NULL, r.first LIMIT 1
    FOR UPDATE OF r SKIP LOCKED;
    UPDATE order_range AS r SET run = new_run, station = new_station, epoch = r.epoch + 1,
        lease_until = clock_timestamp() + interval '30 seconds'
    WHERE r.of_order = order_id AND r.first = range_first
    RETURNING r.past, r.epoch INTO range_past, range_epoch;
END $$;

-- Gives the lease of a range its whole time again, and says whether it is done. False if the run does not have it any
-- more.
CREATE FUNCTION hold_range(order_id bigint, range_first bigint, of_run text, range_epoch bigint, is_done boolean)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = c8y_pki, pg_catalog, pg_temp AS $$
BEGIN
    UPDATE order_range AS r SET done = r.done OR is_done, lease_until = clock_timestamp() + interval '30 seconds'
    WHERE r.of_order = order_id AND r.first = range_first AND r.run = of_run AND r.epoch = range_epoch;
    RETURN FOUND;
END $$;

-- Gives back what a run has taken and not done.
CREATE FUNCTION leave_ranges(order_id bigint, of_run text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = c8y_pki, pg_catalog, pg_temp AS $$
    UPDATE order_range AS r SET run = NULL, station = NULL
    WHERE r.of_order = order_id AND r.run = of_run AND NOT r.done
$$;

-- Adds a row to the audit log: the only way to do so. The hash is over the hash of the row before and every field,
-- each with its length in front (8 bytes, the highest first), as on SQLite. The details also say which user of the
-- database it is, behind all that he says himself.
CREATE OR REPLACE FUNCTION append(new_at bigint, new_action text, new_detail text, new_chunk uuid,
    OUT new_sequence bigint, OUT transaction text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = c8y_pki, pg_catalog, pg_temp AS $$
DECLARE
    before head%ROWTYPE;
    action_bytes bytea := convert_to(new_action, 'UTF8');
    own text := '"db_user":' || to_json(session_user::text)::text || '}';
    whole text := left(new_detail, -1) || CASE new_detail WHEN '{}' THEN '' ELSE ',' END || own;
    detail_bytes bytea := convert_to(whole, 'UTF8');
    new_hash bytea;
BEGIN
    -- After that row nothing is recorded here any more. Here current_user is the owner.
    IF new_action = 'move' AND NOT pg_has_role(session_user, current_user, 'MEMBER') THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: only its owner takes a registry to another place';
    END IF;
    SELECT * INTO STRICT before FROM head FOR UPDATE;
    new_sequence := before.sequence + 1;
    new_hash := sha256(
        int8send(length(before.hash)) || before.hash
        || int8send(8) || int8send(new_sequence)
        || int8send(8) || int8send(new_at)
        || int8send(length(action_bytes)) || action_bytes
        || int8send(length(detail_bytes)) || detail_bytes);
    INSERT INTO audit (sequence, at, action, detail, hash, previous, chunk)
        VALUES (new_sequence, new_at, new_action, whole, new_hash, before.hash, new_chunk);
    UPDATE head SET sequence = new_sequence, hash = new_hash;
    transaction := pg_current_xact_id()::text;
END $$;

-- Rights as in roles.sql, where that was run before.
REVOKE ALL ON FUNCTION share_order(bigint), take_range(bigint, text, text),
    hold_range(bigint, bigint, text, bigint, boolean), leave_ranges(bigint, text) FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'c8y_pki_station')
        AND has_schema_privilege('c8y_pki_station', 'c8y_pki', 'USAGE') THEN
        GRANT EXECUTE ON FUNCTION share_order(bigint), take_range(bigint, text, text),
            hold_range(bigint, bigint, text, bigint, boolean), leave_ranges(bigint, text) TO c8y_pki_station;
        GRANT SELECT ON order_range TO c8y_pki_station;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'c8y_pki_auditor')
        AND has_schema_privilege('c8y_pki_auditor', 'c8y_pki', 'USAGE') THEN
        GRANT SELECT ON order_range TO c8y_pki_auditor;
    END IF;
END $$;

UPDATE registry SET version = 8;
