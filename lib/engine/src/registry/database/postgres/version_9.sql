-- Version 9: what stations need of the CAs besides keys. Run by the owner after version_8.sql, or once on a registry of
-- version 8; in one transaction.
SET LOCAL search_path = c8y_pki, pg_catalog;

-- A CA by its present name: its certificate and those above it (PEM, itself first), its signing policy (the table of
-- pki.toml; none if it has none), and its last list of revocations (DER) with its number. Never a key.
CREATE TABLE ca (
    name text COLLATE "C" PRIMARY KEY,
    chain text COLLATE "C" NOT NULL,
    policy text COLLATE "C",
    list bytea,
    list_number bigint NOT NULL DEFAULT 0
);

-- Puts a list there, unless one with the same number or a higher one is there. Whether it did.
CREATE FUNCTION put_list(ca_name text, new_number bigint, new_list bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = c8y_pki, pg_catalog, pg_temp AS $$
BEGIN
    UPDATE ca SET list = new_list, list_number = new_number
    WHERE ca.name = ca_name AND ca.list_number < new_number AND new_list IS NOT NULL;
    RETURN FOUND;
END $$;

-- Rights as in roles.sql, where that was run before.
REVOKE ALL ON FUNCTION put_list(text, bigint, bytea) FROM PUBLIC;
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'c8y_pki_station')
        AND has_schema_privilege('c8y_pki_station', 'c8y_pki', 'USAGE') THEN
        GRANT SELECT, INSERT (name, chain, policy) ON ca TO c8y_pki_station;
        GRANT EXECUTE ON FUNCTION put_list(text, bigint, bytea) TO c8y_pki_station;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'c8y_pki_auditor')
        AND has_schema_privilege('c8y_pki_auditor', 'c8y_pki', 'USAGE') THEN
        GRANT SELECT ON ca TO c8y_pki_auditor;
    END IF;
END $$;

UPDATE registry SET version = 9;
