//! Every command and flag that a hint names is one of this program.

use std::collections::BTreeSet;

use c8y_pki_core::failure::{
    Example, Hint, Means, Permission, Secret, Setting, SubjectField, Task,
};
use clap::{Command, CommandFactory as _};

use super::{SharedOptions, command, means, sentence, typed};
use crate::args::Cli;

/// An example of each variant, and a match that does not compile without one.
macro_rules! each {
    ($kind:ident: $($variant:ident $(= $example:expr)?),+ $(,)?) => {{
        let _is_complete = |value: &$kind| match value {
            $($kind::$variant { .. } => {})+
        };
        let mut all: Vec<$kind> = Vec::new();
        $(each!(@one all, $kind::$variant $(, $example)?);)+
        all
    }};
    (@one $all:ident, $plain:expr, $example:expr) => { $all.extend($example) };
    (@one $all:ident, $plain:expr) => { $all.extend([$plain]) };
}

fn text() -> String {
    "gw-1".to_owned()
}

fn tasks() -> Vec<Task> {
    use Task as T;
    each!(Task:
        ShowFile, ShowKey, ShowStore, CreateStore, OrderChain,
        VerifyAsDevice = [T::VerifyAsDevice { id: text() }],
        FetchServer = [None, Some("acme:8883".to_owned())].map(|address| T::FetchServer { address }),
        PrintExample = [Example::Profile, Example::Devices, Example::Rollout].map(T::PrintExample),
        ListProfiles, InitCa, ListCas, ShowCa,
        RequestCa = [T::RequestCa { ca: text() }],
        TakeAnswer = [T::TakeAnswer { ca: text() }],
        ImportCa = [None, Some(text())].map(|ca| T::ImportCa { ca }),
        RenewCa = [true, false].map(|new_key| T::RenewCa { ca: Some(text()), new_key }),
        RenameCa = [T::RenameCa { from: text(), to: text() }],
        MakeCrl = [None, Some("7".to_owned())].map(|days| T::MakeCrl { ca: None, days }),
        CheckRegistry, RepairRegistry, MoveRegistry, PublishCas, PreviewRepair, RepairByList,
        NewKey = [T::NewKey { key_type: "ec-p256" }],
        DecryptKey, ListKeys,
        FillPool = [T::FillPool { key_type: "rsa-2048".to_owned(), count: 11 }],
        ListDevices,
        ListDevicesEnding = [T::ListDevicesEnding { ca: text(), days: 30 }],
        RenewDevicesEnding = [T::RenewDevicesEnding { ca: text(), days: 30 }],
        ListBatches, ListOrders,
        ShowOrder = [T::ShowOrder { name: text() }],
        TakeOrderBack = [T::TakeOrderBack { name: text() }],
        ListServers, ListTokens,
        ListServersEnding = [T::ListServersEnding { ca: text(), days: 30 }],
        RenewServer = [T::RenewServer { name: text() }],
        ShowDevice = [T::ShowDevice { id: text() }],
        IssueDevice = [true, false].map(|replace| T::IssueDevice { id: text(), replace }),
        SignRequests,
        RenewDevice = [T::RenewDevice { id: text() }],
        ImportDevice = [T::ImportDevice { files: text() }],
        MakeManifest, CheckDevice,
        CheckAgainstUploaded = [T::CheckAgainstUploaded { id: text() }],
        ShowTenant, ListTrusted, UploadCa,
        UploadOwnCa = [None, Some(text())].map(|ca| T::UploadOwnCa { ca }),
        EnableCa = [T::EnableCa { name: text() }],
        AllowAutoRegistration = [None, Some(text())].map(|name| T::AllowAutoRegistration { name }),
        RemoveCa = [T::RemoveCa { name: text() }],
        ProveCa = [None, Some(text())].map(|ca| T::ProveCa { ca }),
        ProveOtherCa, NewCode, DownloadCrl, UploadCrl, EnableCrlCheck, VerifyAtTenant,
        EnableAuthority, CreateAuthority,
        CreateRegistration = [None, Some(text())].map(|order| T::CreateRegistration { order }),
        UploadRegistration, CheckRegistration,
        ListRegistrations, AddRegistration,
        WithdrawRegistration = [T::WithdrawRegistration { id: text() }],
    )
}

fn settings() -> Vec<Setting> {
    use SubjectField as F;
    let fields = each!(SubjectField: Country, State, Locality, Organization, Unit, Email, Other);
    debug_assert_eq!(F::of("C"), F::Country);
    each!(Setting:
        PkiFolder, Output, DeviceFiles, DeviceId, DeviceType, DeviceName, OneTimePasswords, Replace, IssueRevoked,
        FailOnExisting, Share, SecondCa, RolloutTenant, KeptKey, Request, EncryptedKeys, ServerCertificate, ServerCas, Truststore,
        KeyType, ExistingKey, Pkcs11Module,
        Subject = fields.into_iter().map(Setting::Subject),
        Shorten, RevokedAt, LongestChain, Leaf, TrustAnchor, OtherCa, Intermediates, Host, Tenant,
        Login, Timeout, Https, HttpsPort, AtLeastOnce, Topic, SmartRest, ResultFile, AltNames, ServiceCertificate,
        ServiceKey,
    )
}

fn others() -> Vec<Means> {
    let secrets = each!(Secret: KeyPassword, StorePassword);
    let permissions = each!(Permission:
        ClockIsRight,
        Rollback = [Permission::Rollback { ca: text() }],
        WeakPassword, ExponentThree, LeaveOutAsked, DirectoryRights,
    );
    let secrets = secrets.into_iter().map(Means::Provide);
    secrets.chain(permissions.into_iter().map(Means::Permit)).collect()
}

/// Whether the words are a command with flags of its own, or of every command.
fn check(root: &Command, line: &str) {
    let (mut command, mut flags) = (root, flags_of(root));
    for word in line.split_whitespace() {
        if let Some(flag) = word.strip_prefix("--") {
            assert!(flags.contains(flag), "{line}: {} has no --{flag}", command.get_name());
        } else if let Some(sub) = command.find_subcommand(word) {
            command = sub;
            flags.extend(flags_of(sub));
        } else {
            assert!(!command.has_subcommands(), "{line}: {word} is no command");
            assert!(command.get_positionals().count() > 0 || !flags.is_empty(), "{line}: {word}");
        }
    }
    assert!(!command.has_subcommands(), "{line}: a command is missing");
}

fn flags_of(command: &Command) -> BTreeSet<String> {
    let long = |argument: &clap::Arg| argument.get_long().map(str::to_owned);
    command.get_arguments().filter_map(long).collect()
}

fn variables_of(command: &Command, found: &mut BTreeSet<String>) {
    let named = command.get_arguments().filter_map(clap::Arg::get_env);
    found.extend(named.map(|name| name.to_string_lossy().into_owned()));
    command.get_subcommands().for_each(|sub| variables_of(sub, found));
}

fn all_flags(command: &Command, found: &mut BTreeSet<String>) {
    found.extend(flags_of(command));
    command.get_subcommands().for_each(|sub| all_flags(sub, found));
}

/// Variables that are read apart from clap's options: the login, the CAs of servers, the module of tokens.
const OF_NO_OPTION: [&str; 5] =
    ["C8Y_USER", "C8Y_PASSWORD", "C8Y_TOKEN", "C8Y_PKI_CACERT", "C8Y_PKI_PKCS11_MODULE"];

#[test]
fn every_task_is_a_command_of_ours() {
    let root = Cli::command();
    for task in tasks() {
        let line = command(&task);
        check(&root, &line);
        let said = sentence(&Hint::run("see it", task.clone()));
        assert_eq!(said, format!("see it: `c8y-pki {line}`"));
        // What a rollout says besides is of that command too.
        let [pki, tenant] = [" --pki", " --host"].map(str::to_owned);
        let typed =
            typed(&task, Some(&SharedOptions { pki: Some(pki), tenant, is_of_file: false }));
        check(&root, typed.strip_prefix("c8y-pki ").expect("the program's name"));
    }
}

#[test]
fn every_flag_and_variable_is_one_of_ours() {
    let root = Cli::command();
    let (mut flags, mut variables) = (BTreeSet::new(), BTreeSet::new());
    all_flags(&root, &mut flags);
    variables_of(&root, &mut variables);
    let settings = settings().into_iter().flat_map(|s| [Means::Give(s), Means::Omit(s)]);
    for by in settings.chain(others()) {
        let said = means(&by);
        if let Some(line) = said.strip_prefix("`c8y-pki ") {
            check(&root, line.trim_end_matches('`'));
            continue;
        }
        let mut named = 0;
        for word in said.split(|c: char| c.is_whitespace() || ",()".contains(c)) {
            if let Some(flag) = word.strip_prefix("--") {
                assert!(flags.contains(flag), "{said}: there is no --{flag}");
                named += 1;
            }
            if word.starts_with("C8Y_") {
                let known = variables.contains(word) || OF_NO_OPTION.contains(&word);
                assert!(known, "{said}: nothing reads {word}");
                named += 1;
            }
        }
        assert!(named > 0, "{said} names nothing");
    }
}

#[test]
fn several_stand_one_after_the_other() {
    let hint = Hint::say("write it by hand")
        .then(Hint::omit("or do not encrypt it", Setting::EncryptedKeys))
        .then(Hint::provide("or give its password", Secret::KeyPassword));
    assert_eq!(hint.neutral(), "write it by hand; or do not encrypt it; or give its password");
    assert_eq!(
        sentence(&hint),
        "write it by hand; or do not encrypt it: leave out --encrypt-keys; or give its password: \
         --key-password-file FILE"
    );
}
