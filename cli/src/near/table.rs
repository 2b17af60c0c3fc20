//! Words that are no commands, and the commands that are meant by them.

/// Below which command, words that people type there, and what they mean: commands as they are typed, each with
/// what it does.
pub(super) type Meant =
    (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

const REVOKE_A_CA: (&str, &str) = (
    "device revoke SERIAL --ca-certificate",
    "revokes the certificate of a CA, since a CA that has signed is never deleted",
);

/// The table. Each command and option in it exists: a test holds that.
pub(super) const MEANT: &[Meant] = &[
    (
        "",
        &["init", "new", "create", "setup", "start", "quickstart"],
        &[
            ("rollout --example DIR", "makes everything from a root CA to device keystores"),
            ("ca init", "makes a root CA alone"),
        ],
    ),
    (
        "",
        &["doctor", "health", "check", "diagnose", "test"],
        &[
            ("status", "says what needs a person"),
            ("device check ID", "says whether a device connects, and why not"),
            ("registry check", "checks the registry"),
        ],
    ),
    ("", &["issue"], &[("device issue ID", "issues a certificate for a device")]),
    ("", &["sign"], &[("device sign FILES", "signs requests of devices")]),
    (
        "",
        &["enrol", "enroll"],
        &[("device enrol ID", "gets a certificate from the platform's own CA")],
    ),
    ("", &["renew"], &[("device renew ID", "renews devices"), ("ca renew NAME", "renews a CA")]),
    (
        "",
        &["revoke"],
        &[("device revoke ID", "revokes a device"), ("order revoke NAME", "revokes an order")],
    ),
    (
        "",
        &["import"],
        &[
            ("ca add NAME --import FILE --key FILE", "takes in a CA that exists"),
            ("device import FILES", "records certificates that were issued elsewhere"),
        ],
    ),
    ("", &["list", "ls"], &[("device list", "lists devices"), ("ca list", "lists CAs")]),
    ("", &["show", "inspect", "info", "view"], &[("cert show FILES", "shows what any file holds")]),
    ("", &["verify", "validate"], &[("cert verify CHAIN", "verifies a chain")]),
    (
        "",
        &["csr", "req", "request"],
        &[("device sign FILES", "signs requests"), ("ca request NAME", "makes one for a CA")],
    ),
    (
        "",
        &["crl"],
        &[("ca crl NAME", "makes a revocation list"), ("tenant crl upload", "uploads revocations")],
    ),
    (
        "",
        &["keystore", "truststore", "pkcs12", "p12", "jks", "convert", "export"],
        &[
            ("store create FILE", "makes a keystore or a truststore from files"),
            ("cert show FILES", "shows one"),
        ],
    ),
    (
        "",
        &["login", "session", "sessions", "profile-use", "use"],
        &[
            ("context add NAME", "keeps how a tenant is reached"),
            ("tenant status", "tries the login"),
        ],
    ),
    ("", &["connect", "mqtt"], &[("device connect ID", "connects as a device")]),
    (
        "",
        &["upload"],
        &[("tenant trust add", "uploads a CA"), ("registration upload FILE", "registers devices")],
    ),
    (
        "",
        &["register"],
        &[("registration create", "makes the CSV"), ("registration upload FILE", "uploads it")],
    ),
    (
        "",
        &["label", "labels", "qr"],
        &[("order labels NAME", "makes labels for the devices of an order")],
    ),
    ("", &["est", "service", "daemon"], &[("serve", "answers devices that ask over EST")]),
    ("", &["api", "rest", "openapi"], &[("serve", "answers stations that use a JSON API")]),
    ("", &["simulate", "mock", "server-start"], &[("sandbox", "runs a tenant in memory")]),
    ("", &["completion", "complete"], &[("completions SHELL", "prints completions for a shell")]),
    ("", &["version"], &[("--version", "says which program this is")]),
    (
        "",
        &["settings", "defaults"],
        &[("config show", "shows each setting and where it comes from")],
    ),
    (
        "",
        &["backup", "restore"],
        &[
            ("registry backup FILE", "saves registry, CAs and settings"),
            ("registry restore FILE", "brings them back"),
        ],
    ),
    ("ca", &["import"], &[("ca add NAME --import FILE --key FILE", "takes in a CA that exists")]),
    (
        "ca",
        &["new", "create", "make"],
        &[("ca init", "makes a root CA"), ("ca add NAME --parent CA", "makes one below it")],
    ),
    ("ca", &["delete", "remove", "rm", "revoke"], &[REVOKE_A_CA]),
    ("ca", &["issue"], &[("device issue ID --ca NAME", "issues a certificate for a device")]),
    ("ca", &["sign"], &[("device sign FILES --ca NAME", "signs requests of devices")]),
    ("ca", &["csr"], &[("ca request NAME", "makes a request for another CA to sign")]),
    (
        "ca",
        &["export", "get", "view", "info"],
        &[("ca show NAME", "shows a CA and where its files are")],
    ),
    ("ca", &["upload"], &[("tenant trust add --ca NAME", "uploads a CA")]),
    (
        "ca",
        &["verify", "check"],
        &[
            ("cert verify CHAIN", "verifies a chain"),
            ("registry check", "checks the PKI directory"),
        ],
    ),
    (
        "device",
        &["remove", "delete", "rm", "retire"],
        &[(
            "device revoke ID --reason cessationOfOperation",
            "takes a device out of service: what was issued stays recorded",
        )],
    ),
    (
        "device",
        &["add", "create", "new", "make"],
        &[("device issue ID", "issues a certificate for a device")],
    ),
    (
        "device",
        &["register"],
        &[("registration create", "makes the CSV"), ("registration add ID", "registers one")],
    ),
    (
        "device",
        &["verify", "test", "ping"],
        &[("device check ID", "says whether a device connects, and why not")],
    ),
    (
        "device",
        &["reissue", "rotate"],
        &[
            ("device renew ID", "renews it"),
            ("device issue ID --existing replace", "issues a new one"),
        ],
    ),
    (
        "device",
        &["export", "ls"],
        &[("device list", "lists devices"), ("registry export", "exports all that was issued")],
    ),
    (
        "device",
        &["labels", "label"],
        &[("order labels NAME", "makes labels for the devices of an order")],
    ),
    ("device", &["get", "view", "info"], &[("device show ID", "shows a device's certificates")]),
    ("device", &["csr", "request"], &[("device sign FILES", "signs requests of devices")]),
    (
        "order",
        &["add", "new", "import", "make"],
        &[("order create NAME --from FILE", "makes an order from a list")],
    ),
    (
        "order",
        &["delete", "remove", "rm", "cancel", "withdraw"],
        &[("order revoke NAME", "takes an order back")],
    ),
    ("order", &["print"], &[("order labels NAME", "makes labels")]),
    ("order", &["status", "progress", "view"], &[("order show NAME", "says how far an order is")]),
    ("order", &["issue"], &[("device issue --order NAME", "issues the devices of an order")]),
    (
        "server",
        &["add", "create", "new"],
        &[("server issue NAME", "issues a certificate for a server")],
    ),
    (
        "server",
        &["remove", "delete", "rm"],
        &[("server revoke NAME", "revokes the certificate of a server")],
    ),
    (
        "cert",
        &["issue", "new", "create"],
        &[("device issue ID", "issues for a device"), ("server issue NAME", "issues for a server")],
    ),
    (
        "cert",
        &["info", "view", "print", "inspect", "dump"],
        &[("cert show FILES", "shows what a file holds")],
    ),
    ("cert", &["check", "validate"], &[("cert verify CHAIN", "verifies a chain")]),
    ("cert", &["order", "sort"], &[("cert chain FILES", "puts certificates in order")]),
    (
        "cert",
        &["convert", "export"],
        &[("store create FILE", "makes a keystore or a truststore from files")],
    ),
    ("cert", &["revoke"], &[("device revoke SERIAL", "revokes a certificate")]),
    (
        "cert",
        &["renew"],
        &[("device renew ID", "renews a device"), ("ca renew NAME", "renews a CA")],
    ),
    (
        "key",
        &["generate", "create", "gen", "make"],
        &[("key new --out FILE", "makes a private key")],
    ),
    (
        "key",
        &["encrypt", "decrypt", "password", "convert"],
        &[("key passwd FILE", "encrypts a key anew, or not at all")],
    ),
    ("key", &["info", "view", "inspect"], &[("key show FILE", "shows a key")]),
    (
        "key pool",
        &["add", "create", "new"],
        &[("key pool fill --type TYPE --count N", "makes keys ahead")],
    ),
    (
        "store",
        &["convert", "new", "make"],
        &[("store create FILE --from STORE", "makes a store, also of another one")],
    ),
    ("store", &["import"], &[("store add FILE", "adds to a store")]),
    (
        "store",
        &["list", "info", "view", "inspect", "dump"],
        &[("store show FILE", "shows what a store holds")],
    ),
    ("store", &["download", "get"], &[("store fetch HOST", "fetches a server's certificates")]),
    (
        "registration",
        &["delete", "remove", "rm", "cancel"],
        &[("registration withdraw ID", "withdraws a registration that is open")],
    ),
    (
        "registration",
        &["new", "make"],
        &[("registration create", "makes the CSV of a bulk registration")],
    ),
    ("registration", &["validate", "verify"], &[("registration check FILE", "checks the CSV")]),
    (
        "tenant",
        &["login"],
        &[
            ("context add NAME", "keeps how a tenant is reached"),
            ("tenant status", "tries the login"),
        ],
    ),
    ("tenant", &["upload", "add"], &[("tenant trust add --ca NAME", "uploads a CA")]),
    ("tenant", &["revoke"], &[("tenant crl upload", "uploads revocations")]),
    (
        "tenant",
        &["use", "list"],
        &[("context use NAME", "chooses a tenant"), ("context list", "lists them")],
    ),
    (
        "tenant trust",
        &["delete", "rm"],
        &[("tenant trust remove WHICH", "removes a trusted certificate")],
    ),
    (
        "tenant trust",
        &["upload", "import", "create", "new"],
        &[("tenant trust add --ca NAME", "uploads a CA")],
    ),
    (
        "tenant trust",
        &["enable", "disable", "edit", "set"],
        &[
            ("tenant trust update WHICH --enable", "switches one on"),
            ("tenant trust update WHICH --disable", "switches one off"),
        ],
    ),
    ("tenant trust", &["get", "view"], &[("tenant trust show WHICH", "shows one")]),
    ("tenant crl", &["add", "create"], &[("tenant crl upload", "uploads revocations")]),
    (
        "pop",
        &["verify", "confirm", "proof"],
        &[
            ("pop prove --ca NAME", "proves possession in one step"),
            ("pop submit FILE --ca NAME", "sends a code that was signed elsewhere"),
        ],
    ),
    (
        "registry",
        &["connect", "attach", "clone", "pull"],
        &[("registry join ADDRESS", "makes a station's PKI directory from a database")],
    ),
    (
        "registry",
        &["push", "share"],
        &[("registry publish", "puts CAs and policies into the database for all stations")],
    ),
    ("registry", &["verify", "doctor"], &[("registry check", "checks the registry")]),
    ("registry", &["fix", "rebuild"], &[("registry repair", "takes over what the registry lacks")]),
    (
        "registry",
        &["list", "dump"],
        &[("registry export", "writes what was issued as CSV or JSON")],
    ),
    ("profile", &["get", "view", "cat", "export"], &[("profile show NAME", "prints a profile")]),
    (
        "context",
        &["create", "new"],
        &[("context add NAME --host HOST", "keeps how a tenant is reached")],
    ),
    ("context", &["delete", "rm"], &[("context remove NAME", "forgets a tenant")]),
    ("context", &["switch", "select"], &[("context use NAME", "chooses a tenant")]),
    ("context", &["current", "get"], &[("context show", "shows the one that is chosen")]),
    (
        "config",
        &["list", "get", "view"],
        &[("config show", "shows each setting and where it comes from")],
    ),
];
