-- Rights for those who share a registry, given after it was made by somebody who may make roles and act as its owner:
-- c8y-pki registry roles | psql -v ON_ERROR_STOP=1 -1 -d pki
--
-- The owner makes the schema, renews and renames CAs, says what they may sign, makes orders, and takes the registry to
-- another place. A station issues devices, renews and revokes them, and adds CAs. An auditor reads.
-- Give each person or station a login of its own: CREATE ROLE line7 LOGIN IN ROLE c8y_pki_station;
SET search_path = c8y_pki, pg_catalog;

DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'c8y_pki_station') THEN
        CREATE ROLE c8y_pki_station NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'c8y_pki_auditor') THEN
        CREATE ROLE c8y_pki_auditor NOLOGIN;
    END IF;
END $$;

-- Functions can be run by everybody unless that is taken back.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA c8y_pki FROM PUBLIC;
GRANT USAGE ON SCHEMA c8y_pki TO c8y_pki_station, c8y_pki_auditor;
GRANT SELECT ON ALL TABLES IN SCHEMA c8y_pki TO c8y_pki_station, c8y_pki_auditor;

-- A station adds rows, and changes them through functions alone.
GRANT EXECUTE ON FUNCTION lock_head(), append(bigint, text, text, uuid),
    end_certificate(bigint, text, bigint, bigint, boolean) TO c8y_pki_station;
-- It takes its share of an order's list.
GRANT EXECUTE ON FUNCTION share_order(bigint), take_range(bigint, text, text),
    hold_range(bigint, bigint, text, bigint, boolean), leave_ranges(bigint, text) TO c8y_pki_station;
GRANT INSERT ON chunk, issuer, order_step, unknown_revocation, foreign_serial TO c8y_pki_station;
GRANT INSERT (issuer_id, not_before, not_after, recorded, revoked_at, chunk, has_key, role, status, ca, batch,
    client_id, folded_id, location, bundle, details, serial, key, digest, der) ON certificate_row TO c8y_pki_station;
-- A CA is added once. Of what is there only the list of revocations is replaced, by one with a higher number.
GRANT INSERT (name, chain, policy) ON ca TO c8y_pki_station;
GRANT EXECUTE ON FUNCTION put_list(text, bigint, bytea) TO c8y_pki_station;
-- Numbers of lists go up, and marks of archives follow what was written: the audit log and the check hold them.
GRANT INSERT, UPDATE ON crl_number TO c8y_pki_station;
GRANT INSERT, UPDATE, DELETE ON growing TO c8y_pki_station;
