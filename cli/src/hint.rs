//! Hints of the library in the words of the command line: what to do, and the command or flag that does it.

use std::sync::OnceLock;

use c8y_pki_core::failure::{
    Example, Hint, Means, Permission, Secret, Setting, SubjectField, Task,
};

use crate::render::quoted;

/// What the command line says to this command, or a rollout's file to it, and has to be said to those that are advised.
static SHARED: OnceLock<SharedOptions> = OnceLock::new();

/// Options that are the same for many commands, as they are typed.
#[derive(Debug)]
pub(crate) struct SharedOptions {
    /// `--pki`, if the PKI directory is not the usual one.
    pub(crate) pki: Option<String>,
    /// How the tenant is reached.
    pub(crate) tenant: String,
    /// Whether a rollout's file says what elsewhere are options.
    pub(crate) is_of_file: bool,
}

/// Lets hints have these options, from now on.
pub(crate) fn share(options: SharedOptions) {
    SHARED.get_or_init(|| options);
}

/// What a command needs besides its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Pki,
    Tenant,
    Both,
}

fn needs(task: &Task) -> Needs {
    use Task as T;
    match task {
        T::ShowFile
        | T::ShowKey
        | T::ShowStore
        | T::CreateStore
        | T::FetchServer { .. }
        | T::PrintExample(_)
        | T::ListProfiles
        | T::NewKey { .. }
        | T::DecryptKey
        | T::CheckRegistration => Needs::Nothing,
        // These know the longest chain from there.
        T::OrderChain | T::VerifyAsDevice { .. } => Needs::Pki,
        T::InitCa
        | T::ListCas
        | T::ShowCa
        | T::RequestCa { .. }
        | T::TakeAnswer { .. }
        | T::ImportCa { .. }
        | T::RenewCa { .. }
        | T::RenameCa { .. }
        | T::MakeCrl { .. }
        | T::CheckRegistry
        | T::RepairRegistry
        | T::MoveRegistry
        | T::PublishCas
        | T::PreviewRepair
        | T::RepairByList
        | T::ListKeys
        | T::FillPool { .. }
        | T::ListServers
        | T::ListTokens
        | T::ListServersEnding { .. }
        | T::RenewServer { .. }
        | T::ListDevices
        | T::ListDevicesEnding { .. }
        | T::RenewDevicesEnding { .. }
        | T::ListBatches
        | T::ListOrders
        | T::ShowOrder { .. }
        | T::TakeOrderBack { .. }
        | T::ShowDevice { .. }
        | T::IssueDevice { .. }
        | T::SignRequests
        | T::RenewDevice { .. }
        | T::ImportDevice { .. }
        | T::MakeManifest
        | T::CreateRegistration { .. } => Needs::Pki,
        T::CheckDevice
        | T::CheckAgainstUploaded { .. }
        | T::UploadOwnCa { .. }
        | T::ProveCa { .. }
        | T::UploadCrl
        | T::VerifyAtTenant => Needs::Both,
        T::ShowTenant
        | T::ListTrusted
        | T::UploadCa
        | T::EnableCa { .. }
        | T::AllowAutoRegistration { .. }
        | T::RemoveCa { .. }
        | T::ProveOtherCa
        | T::NewCode
        | T::DownloadCrl
        | T::EnableCrlCheck
        | T::EnableAuthority
        | T::CreateAuthority
        | T::UploadRegistration
        | T::ListRegistrations
        | T::AddRegistration
        | T::WithdrawRegistration { .. } => Needs::Tenant,
    }
}

/// The whole command, as it is typed.
fn typed(task: &Task, shared: Option<&SharedOptions>) -> String {
    let pki = shared.and_then(|shared| shared.pki.as_deref()).unwrap_or_default();
    let tenant = shared.map_or("", |shared| &shared.tenant);
    let command = command(task);
    match needs(task) {
        Needs::Nothing => format!("c8y-pki {command}"),
        Needs::Pki => format!("c8y-pki{pki} {command}"),
        Needs::Tenant => format!("c8y-pki {command}{tenant}"),
        Needs::Both => format!("c8y-pki{pki} {command}{tenant}"),
    }
}

/// A command on the PKI directory as it is typed.
pub(crate) fn with_pki(command: &str) -> String {
    let pki = SHARED.get().and_then(|shared| shared.pki.as_deref()).unwrap_or_default();
    format!("c8y-pki{pki} {command}")
}

/// The command as it is typed, between backquotes.
pub(crate) fn run(task: &Task) -> String {
    format!("`{}`", typed(task, SHARED.get()))
}

/// The sentence, without its full stop. Each command and flag in it is typed as it stands.
pub(crate) fn sentence(hint: &Hint) -> String {
    match hint {
        Hint::Say(text) => text.to_string(),
        Hint::To { what, by } if what.ends_with('?') => format!("{what} ({})", means(by)),
        Hint::To { what, by } => format!("{what}: {}", means(by)),
        Hint::Several(all) => all.iter().map(sentence).collect::<Vec<_>>().join("; "),
    }
}

fn means(by: &Means) -> String {
    match by {
        Means::Run(task) => run(task),
        Means::Give(setting) => option(*setting).to_owned(),
        Means::Omit(setting) => format!("leave out {}", option(*setting)),
        Means::Provide(Secret::KeyPassword) => "--key-password-file FILE".to_owned(),
        Means::Provide(Secret::StorePassword) => "--store-password-file FILE".to_owned(),
        Means::Permit(permission) => permit(permission),
    }
}

/// The command that runs a task, without the program's name.
pub(crate) fn command(task: &Task) -> String {
    match task {
        Task::ShowFile => "cert show FILE".to_owned(),
        Task::ShowKey => "key show FILE".to_owned(),
        Task::ShowStore => "store show FILE".to_owned(),
        Task::CreateStore => "store create".to_owned(),
        Task::OrderChain => "cert chain FILES --out chain.pem".to_owned(),
        Task::VerifyAsDevice { id } => format!("cert verify --trust FILE --as-device {id} FILE"),
        Task::FetchServer { address } => {
            format!("store fetch {}", address.as_deref().unwrap_or("HOST:8883"))
        }
        Task::PrintExample(Example::Profile) => "profile show device".to_owned(),
        Task::PrintExample(Example::Devices) => "profile show devices.csv".to_owned(),
        Task::PrintExample(Example::Rollout) => "profile show rollout.toml".to_owned(),
        Task::ListProfiles => "profile list".to_owned(),

        Task::InitCa => "ca init".to_owned(),
        Task::ListCas => "ca list".to_owned(),
        Task::ShowCa => "ca show NAME".to_owned(),
        Task::RequestCa { ca } => format!("ca request {ca}"),
        Task::TakeAnswer { ca } => format!("ca add {ca} --certificate FILE"),
        Task::ImportCa { ca } => format!("ca add {} --import FILE", name(ca)),
        Task::RenewCa { ca, new_key: false } => format!("ca renew {}", name(ca)),
        Task::RenewCa { ca, new_key: true } => format!("ca renew {} --new-key NEW-NAME", name(ca)),
        Task::RenameCa { from, to } => format!("ca rename {from} {to}"),
        Task::MakeCrl { ca, days: None } => format!("ca crl {}", name(ca)),
        Task::MakeCrl { ca, days: Some(days) } => format!("ca crl {} --days {days}", name(ca)),

        Task::CheckRegistry => "registry check".to_owned(),
        Task::RepairRegistry => "registry repair".to_owned(),
        Task::MoveRegistry => "registry migrate --to postgresql://USER@HOST/DATABASE".to_owned(),
        Task::PublishCas => "registry publish".to_owned(),
        Task::PreviewRepair => "registry repair --plan".to_owned(),
        Task::RepairByList => "registry repair --against FILE".to_owned(),

        Task::NewKey { key_type } => format!("key new --type {key_type} --out FILE"),
        Task::DecryptKey => "key passwd --plain".to_owned(),
        Task::ListKeys => "key list".to_owned(),
        Task::FillPool { key_type, count } => {
            format!("key pool fill --type {key_type} --count {count}")
        }

        Task::ListServers => "server list --status any".to_owned(),
        Task::ListTokens => "serve token list".to_owned(),
        Task::ListServersEnding { ca, days } => format!("server list --expiring {days}d --ca {ca}"),
        Task::RenewServer { name } => format!("server renew {name}"),

        Task::ListDevices => "device list --status any".to_owned(),
        Task::ListDevicesEnding { ca, days } => format!("device list --expiring {days}d --ca {ca}"),
        Task::RenewDevicesEnding { ca, days } => {
            format!("device renew --expiring {days}d --ca {ca} --out DIR")
        }
        Task::ListBatches => "device list --json".to_owned(),
        Task::ListOrders => "order list".to_owned(),
        Task::ShowOrder { name } => format!("order show {name}"),
        Task::TakeOrderBack { name } => format!("order revoke {name}"),
        Task::ShowDevice { id } => format!("device show {id}"),
        Task::IssueDevice { id, replace: false } => {
            format!("device issue {id} --ca NAME --out DIR")
        }
        Task::IssueDevice { id, replace: true } => {
            format!("device issue {id} --existing replace --ca NAME --out DIR")
        }
        Task::SignRequests => "device sign --existing replace".to_owned(),
        Task::RenewDevice { id } => format!("device renew {id} --out DIR"),
        Task::ImportDevice { files } => format!("device import {files}"),
        Task::MakeManifest => "device manifest".to_owned(),
        Task::CheckDevice => "device check".to_owned(),
        Task::CheckAgainstUploaded { id } => format!("device check {id} --uploaded FILE"),

        Task::ShowTenant => "tenant status".to_owned(),
        Task::ListTrusted => "tenant trust list".to_owned(),
        Task::UploadCa => "tenant trust add FILE".to_owned(),
        Task::UploadOwnCa { ca } => format!("tenant trust add --ca {}", name(ca)),
        Task::EnableCa { name } => format!("tenant trust update {name} --enable"),
        Task::AllowAutoRegistration { name: trusted } => {
            format!("tenant trust update {} --auto-registration", name(trusted))
        }
        Task::RemoveCa { name } => format!("tenant trust remove {name}"),
        Task::ProveCa { ca } => format!("pop prove --ca {}", name(ca)),
        Task::ProveOtherCa => "pop prove --cert FILE --key FILE".to_owned(),
        Task::NewCode => "pop code --new".to_owned(),
        Task::UploadCrl => "tenant crl upload".to_owned(),
        Task::DownloadCrl => "tenant crl download".to_owned(),
        Task::EnableCrlCheck => "tenant crl enable".to_owned(),
        Task::VerifyAtTenant => "tenant verify FILE".to_owned(),
        Task::EnableAuthority => "tenant authority enable".to_owned(),
        Task::CreateAuthority => "tenant authority create".to_owned(),

        Task::CreateRegistration { order: None } => "registration create --out FILE".to_owned(),
        Task::CreateRegistration { order: Some(order) } => {
            format!("registration create --order {} --out FILE", quoted(order))
        }
        Task::UploadRegistration => "registration upload FILE".to_owned(),
        Task::CheckRegistration => "registration check FILE".to_owned(),
        Task::ListRegistrations => "registration list".to_owned(),
        Task::AddRegistration => "registration add ID".to_owned(),
        Task::WithdrawRegistration { id } => format!("registration withdraw {id}"),
    }
}

/// A name as it is typed; the word that a person replaces if it is not known.
fn name(known: &Option<String>) -> &str {
    known.as_deref().unwrap_or("NAME")
}

/// The flags of a setting, or the variables where it is usually there.
fn option(setting: Setting) -> &'static str {
    match setting {
        Setting::PkiFolder => "--pki DIR, or C8Y_PKI_DIR",
        Setting::Output => "--out",
        Setting::DeviceFiles => "--out, --bundle",
        Setting::DeviceId => "--id ID",
        Setting::DeviceType => "--type c8y_Gateway",
        Setting::DeviceName => "--name '{id}' uses the client id",
        Setting::OneTimePasswords => "--one-time-passwords",
        Setting::Replace => "--existing replace",
        Setting::IssueRevoked => "--issue-revoked",
        Setting::FailOnExisting => "--existing fail",
        Setting::Share => "--share",
        Setting::SecondCa => "--new-ca",
        Setting::RolloutTenant => "--tenant NAME",
        Setting::KeptKey => "--reuse-key, --key and --csr",
        Setting::Request => "--csr FILE",
        Setting::EncryptedKeys => "--encrypt-keys",
        Setting::ServerCertificate => "--server-cert FILE",
        Setting::ServerCas => "--cacert FILE (C8Y_PKI_CACERT)",
        Setting::Truststore if SHARED.get().is_some_and(|shared| shared.is_of_file) => {
            "`certificates` or `cas` under [truststore] in the file"
        }
        Setting::Truststore => "--truststore FILE",
        Setting::KeyType => "--key-type, for example ec-p384",
        Setting::ExistingKey => "--existing-key",
        Setting::Pkcs11Module => "C8Y_PKI_PKCS11_MODULE",
        Setting::Subject(SubjectField::Country) => "--country",
        Setting::Subject(SubjectField::State) => "--state",
        Setting::Subject(SubjectField::Locality) => "--locality",
        Setting::Subject(SubjectField::Organization) => "--org",
        Setting::Subject(SubjectField::Unit) => "--org-unit",
        Setting::Subject(SubjectField::Email) => "--email",
        Setting::Subject(SubjectField::Other) => "--subject",
        Setting::AltNames => "--san DNS:HOST or --san IP:ADDRESS",
        Setting::Shorten => "--shorten",
        Setting::RevokedAt => "--at",
        Setting::LongestChain => "--longest-chain N",
        Setting::Leaf => "--leaf CN",
        Setting::TrustAnchor => "--trust FILE",
        Setting::OtherCa => "--other-ca FILE",
        Setting::Intermediates => "--untrusted FILE",
        Setting::Host => "C8Y_HOST",
        Setting::Tenant => "--tenant, C8Y_TENANT",
        Setting::Login => "C8Y_USER and C8Y_PASSWORD, or C8Y_TOKEN",
        Setting::Timeout => "--timeout SECONDS",
        Setting::Https => "--https",
        Setting::HttpsPort => "--https-port",
        Setting::AtLeastOnce => "--qos 1",
        Setting::Topic => "--topic",
        Setting::SmartRest => "--smartrest",
        Setting::ResultFile => "--result FILE",
        Setting::ServiceCertificate => "--tls-cert FILE",
        Setting::ServiceKey => "--tls-key FILE",
    }
}

fn permit(permission: &Permission) -> String {
    match permission {
        Permission::ClockIsRight => "--clock-is-right".to_owned(),
        Permission::Rollback { ca } => format!("`c8y-pki ca crl {ca} --accept-rollback`"),
        Permission::WeakPassword => "--weak-password".to_owned(),
        Permission::ExponentThree => "--allow-exponent-3".to_owned(),
        Permission::LeaveOutAsked => "--leave-out".to_owned(),
        Permission::DirectoryRights => "--insecure-permissions".to_owned(),
    }
}

#[cfg(test)]
mod tests;
