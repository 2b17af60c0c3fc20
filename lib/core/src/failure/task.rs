//! What a hint can ask for: tasks, settings, secrets and permissions, which each application has in a form of its own.

/// A task that helps, with what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Task {
    /// Show what is in a file of certificates, requests or lists.
    ShowFile,
    /// Show what is known of a key.
    ShowKey,
    /// Show what is in a keystore.
    ShowStore,
    /// Put key and certificates into a keystore.
    CreateStore,
    /// Put certificates in order, the leaf first.
    OrderChain,
    /// Judge the chain that a device presents.
    VerifyAsDevice {
        /// The device's id.
        id: String,
    },
    /// Fetch the certificates that a server presents.
    FetchServer {
        /// Host and perhaps port; none if the user knows which.
        address: Option<String>,
    },
    /// Print a complete file to start from.
    PrintExample(Example),
    /// List the profiles.
    ListProfiles,

    /// Make a PKI with its first CA.
    InitCa,
    /// List the CAs.
    ListCas,
    /// Show a CA.
    ShowCa,
    /// Write a CA's request, for an issuer elsewhere.
    RequestCa {
        /// The CA's name.
        ca: String,
    },
    /// Take in the certificate that a CA has waited for.
    TakeAnswer {
        /// The CA's name.
        ca: String,
    },
    /// Take in what an issuer elsewhere has signed, or a CA made elsewhere.
    ImportCa {
        /// The CA's name; none if the user knows which.
        ca: Option<String>,
    },
    /// Renew a CA.
    RenewCa {
        /// The CA's name; none if the user knows which.
        ca: Option<String>,
        /// Whether with a new key.
        new_key: bool,
    },
    /// Give a CA another name in its PKI directory.
    RenameCa {
        /// Its name.
        from: String,
        /// Its name from now on.
        to: String,
    },
    /// Make a CA's list of revocations.
    MakeCrl {
        /// The CA's name; none if the user knows which.
        ca: Option<String>,
        /// For how many days; none for as long as usual.
        days: Option<String>,
    },

    /// Check the registry.
    CheckRegistry,
    /// Take over what the registry has forgotten.
    RepairRegistry,
    /// Take the registry to another place.
    MoveRegistry,
    /// Put what stations need of the CAs into the database that they share.
    PublishCas,
    /// Show what a repair would take over.
    PreviewRepair,
    /// Repair the registry by a list that was handed out.
    RepairByList,

    /// Make a key.
    NewKey {
        /// Its type, as it is named in settings.
        key_type: &'static str,
    },
    /// Take a key's encryption off.
    DecryptKey,
    /// List the keys of a token.
    ListKeys,
    /// Make keys before they are needed.
    FillPool {
        /// Their type.
        key_type: String,
        /// How many.
        count: usize,
    },

    /// List the servers.
    ListServers,
    /// List the tokens of the service.
    ListTokens,
    /// List the servers of a CA whose certificates end.
    ListServersEnding {
        /// The CA's name.
        ca: String,
        /// Within how many days.
        days: u32,
    },
    /// Renew a server's certificate.
    RenewServer {
        /// The server's name.
        name: String,
    },

    /// List the devices of each status.
    ListDevices,
    /// List the devices of a CA whose certificates end.
    ListDevicesEnding {
        /// The CA's name.
        ca: String,
        /// Within how many days.
        days: u32,
    },
    /// Renew the devices of a CA whose certificates end.
    RenewDevicesEnding {
        /// The CA's name.
        ca: String,
        /// Within how many days.
        days: u32,
    },
    /// List the devices with their batches.
    ListBatches,
    /// List the orders.
    ListOrders,
    /// Show how far an order is.
    ShowOrder {
        /// Its name.
        name: String,
    },
    /// Revoke what an order has issued, and close it.
    TakeOrderBack {
        /// Its name.
        name: String,
    },
    /// Show a device.
    ShowDevice {
        /// The device's id.
        id: String,
    },
    /// Issue a device its certificate.
    IssueDevice {
        /// The device's id.
        id: String,
        /// Whether in place of a live one.
        replace: bool,
    },
    /// Sign devices' requests, in place of live certificates.
    SignRequests,
    /// Renew a device's certificate.
    RenewDevice {
        /// The device's id.
        id: String,
    },
    /// Record a device that was issued elsewhere.
    ImportDevice {
        /// The device's files.
        files: String,
    },
    /// Write the signed list of a batch.
    MakeManifest,
    /// Look step by step why a device does not connect.
    CheckDevice,
    /// The same, with the CA that is known to be uploaded.
    CheckAgainstUploaded {
        /// The device's id.
        id: String,
    },

    /// Show the tenant.
    ShowTenant,
    /// List the trusted certificates.
    ListTrusted,
    /// Upload a CA's certificate.
    UploadCa,
    /// Upload the certificate of a CA of the PKI.
    UploadOwnCa {
        /// The CA's name; none if the user knows which.
        ca: Option<String>,
    },
    /// Enable a trusted certificate.
    EnableCa {
        /// Its name or fingerprint there, in quotes where it needs some.
        name: String,
    },
    /// Let a CA's devices register themselves.
    AllowAutoRegistration {
        /// Its name or fingerprint there, in quotes where it needs some; none if the user knows which.
        name: Option<String>,
    },
    /// Remove a trusted certificate.
    RemoveCa {
        /// Its name or fingerprint there, in quotes where it needs some.
        name: String,
    },
    /// Prove possession of the key of a CA of the PKI.
    ProveCa {
        /// The CA's name; none if the user knows which.
        ca: Option<String>,
    },
    /// The same for a CA made elsewhere.
    ProveOtherCa,
    /// Ask for another verification code.
    NewCode,
    /// Fetch the tenant's list of revocations.
    DownloadCrl,
    /// Upload the lists of revocations to the tenant.
    UploadCrl,
    /// Have the tenant look at its list of revocations.
    EnableCrlCheck,
    /// Ask the platform for its own verdict on a chain.
    VerifyAtTenant,
    /// Switch the platform's own CA on.
    EnableAuthority,
    /// Make the platform's own CA.
    CreateAuthority,

    /// Write the list that registers devices.
    CreateRegistration {
        /// The order that they are in, if it is one.
        order: Option<String>,
    },
    /// Register devices by a list.
    UploadRegistration,
    /// Check such a list.
    CheckRegistration,
    /// List the requests of devices that want to be registered.
    ListRegistrations,
    /// Register a device with a one-time password.
    AddRegistration,
    /// Withdraw a device's request.
    WithdrawRegistration {
        /// The device's id.
        id: String,
    },
}

/// A file to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Example {
    /// A profile of devices.
    Profile,
    /// A list of devices.
    Devices,
    /// A rollout.
    Rollout,
}

/// A setting for which a value helps, or whose absence does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setting {
    /// Where the PKI is.
    PkiFolder,
    /// Where results go.
    Output,
    /// A device's files.
    DeviceFiles,
    /// The id of a device.
    DeviceId,
    /// The type of the devices.
    DeviceType,
    /// The names of the devices.
    DeviceName,
    /// One-time passwords for devices that enrol.
    OneTimePasswords,
    /// What a live certificate means: another one takes its place.
    Replace,
    /// Issue devices again that were revoked.
    IssueRevoked,
    /// What a live certificate means: it is an error.
    FailOnExisting,
    /// A list is shared out to several stations.
    Share,
    /// A second CA of a subject that another CA has.
    SecondCa,
    /// Which of the tenants of a rollout's file is meant.
    RolloutTenant,
    /// The key that a device has already: its own, one of a file, or that of its request.
    KeptKey,
    /// A device's request.
    Request,
    /// Keys in files are encrypted.
    EncryptedKeys,
    /// The certificate of the platform's server, for truststores.
    ServerCertificate,
    /// The CAs that sign servers.
    ServerCas,
    /// The truststore of a device.
    Truststore,
    /// The type of new keys.
    KeyType,
    /// A key that is in the token already.
    ExistingKey,
    /// The PKCS#11 module of this machine.
    Pkcs11Module,
    /// A subject, or a field of one: C, ST, L, O, OU, emailAddress, or the whole.
    Subject(SubjectField),
    /// The names of a server beside its subject.
    AltNames,
    /// Certificates end with their issuer.
    Shorten,
    /// Since when a certificate is revoked.
    RevokedAt,
    /// How many certificates a chain may have.
    LongestChain,
    /// Which certificate is the leaf.
    Leaf,
    /// A CA to trust.
    TrustAnchor,
    /// Another CA of the same name.
    OtherCa,
    /// Certificates that may stand between.
    Intermediates,
    /// The tenant's host.
    Host,
    /// The tenant's id.
    Tenant,
    /// User and password, or a token.
    Login,
    /// How long to wait.
    Timeout,
    /// A device asks over HTTPS.
    Https,
    /// The port of HTTPS for devices.
    HttpsPort,
    /// Each message is delivered at least once.
    AtLeastOnce,
    /// A topic of the device's own.
    Topic,
    /// The device speaks SmartREST.
    SmartRest,
    /// Where the results of a registration are kept.
    ResultFile,
    /// The certificate of a service for devices, in a file.
    ServiceCertificate,
    /// The key of that certificate, in a file.
    ServiceKey,
}

/// A field of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubjectField {
    /// C.
    Country,
    /// ST.
    State,
    /// L.
    Locality,
    /// O.
    Organization,
    /// OU.
    Unit,
    /// emailAddress.
    Email,
    /// Any other: the subject as a whole.
    Other,
}

impl SubjectField {
    /// The field of a short name (RFC 4514, 3, and OpenSSL's).
    pub fn of(short: &str) -> Self {
        match short {
            "C" => Self::Country,
            "ST" => Self::State,
            "L" => Self::Locality,
            "O" => Self::Organization,
            "OU" => Self::Unit,
            "emailAddress" => Self::Email,
            _ => Self::Other,
        }
    }
}

/// A secret that is missing or wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Secret {
    /// The password of a device's key.
    KeyPassword,
    /// The password of a keystore.
    StorePassword,
}

/// What can be allowed on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Permission {
    /// The clock of this computer is right, though it looks wrong.
    ClockIsRight,
    /// A CA makes its list by a registry that is older than its last one.
    Rollback {
        /// The CA's name.
        ca: String,
    },
    /// A weak password, for tests.
    WeakPassword,
    /// An RSA key with the public exponent 3.
    ExponentThree,
    /// A CA's request is signed without the extensions that it may not ask for.
    LeaveOutAsked,
    /// Secrets get the rights of the directory that they are in, on a system without modes of files.
    DirectoryRights,
}
