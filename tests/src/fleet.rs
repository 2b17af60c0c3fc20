//! Devices of a list, and what has to hold of them at every moment at which no process runs: a
//! certificate exists if and only if the registry has it, and then its key is on disk, whole and
//! matching.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::secret::Password;
use c8y_pki_core::store::{self, EntryKind};
use c8y_pki_engine::registry::{Filter, Record, Registry, Role, Status};
use time::OffsetDateTime;

use crate::cli::{CA_PW, Cli, PASSWORD, walk};
use crate::disk::Disk;

/// Where devices wait, below the directory of devices.
pub const STAGING: &str = ".c8y-pki-staging";

/// Where replaced devices go, below the directory of devices.
const REPLACED: &str = ".replaced";

/// A list of devices, to be issued with one command line.
#[derive(Debug)]
pub struct Fleet {
    /// Where all of it is.
    pub cli: Cli,
    pki: String,
    out: String,
    ids: BTreeSet<String>,
    files: BTreeSet<&'static str>,
    line: String,
    pki_files: Vec<String>,
    /// Serial numbers of devices whose files were read and found good.
    whole: HashSet<String>,
    /// Serial number of certificate files that were read before.
    serials: HashMap<Vec<u8>, String>,
}

/// What a stopped run has left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remains {
    /// Devices in its chunks.
    pub staged: usize,
    /// Those of them that are recorded: they wait for their place.
    pub waiting: Vec<PathBuf>,
    /// Whether a chunk has a journal.
    pub sealed: bool,
    /// Whether the registry has one of a journal's devices.
    pub recorded: bool,
}

/// How things stand while no process runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Certificates of devices in the registry, former ones too.
    pub rows: usize,
    /// What stopped runs have left, by their names.
    pub runs: BTreeMap<String, Remains>,
}

/// In which phase of its life a process was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Before it made anything: reading, checking, opening.
    Starting,
    /// While it settled what another one had left.
    Settling,
    /// While it made keys, certificates and files.
    Making,
    /// With a journal, and nothing of it recorded.
    Sealed,
    /// With recorded devices that are not in place.
    Recorded,
    /// With all recorded devices in place, before it had tidied up.
    Placed,
}

impl Fleet {
    /// `count` devices, below the CA `line` in `pki`, to be issued into `out`.
    pub fn new(count: usize) -> Self {
        Self::at(Cli::new(), "pki", "out", count)
    }

    /// The same in memory, where that may be mounted: a killed process loses nothing that it has
    /// written there either, and a disk that is busy with others would make a test take its time.
    pub fn in_memory(count: usize) -> (Self, Option<Disk>) {
        let cli = Cli::new();
        match Disk::new(&cli, "512m") {
            Some(disk) => (Self::at(cli, "disk/pki", "disk/out", count), Some(disk)),
            None => (Self::at(cli, "pki", "out", count), None),
        }
    }

    /// The same in given directories of `cli`.
    pub fn at(cli: Cli, pki: &str, out: &str, count: usize) -> Self {
        let at = format!("--pki {pki} {CA_PW}");
        cli.make_cas(pki);
        let ids: BTreeSet<String> = (0..count).map(|n| format!("dev-{n:04}")).collect();
        let rows: Vec<&str> = ids.iter().map(String::as_str).collect();
        cli.write("list.csv", format!("id\n{}\n", rows.join("\n")));
        Self {
            line: format!("device issue --from list.csv --ca line --out {out} {at}"),
            pki_files: cli.names(pki),
            files: BTreeSet::from(["cert.pem", "chain.pem", "key.pem"]),
            ids,
            cli,
            pki: pki.to_owned(),
            out: out.to_owned(),
            whole: HashSet::new(),
            serials: HashMap::new(),
        }
    }

    /// Each device gets a PKCS#12 and a JKS file too.
    #[must_use]
    pub fn with_stores(mut self) -> Self {
        self.files.extend(["keystore.p12", "keystore.jks"]);
        self.with("--bundle pem,p12,jks --iterations 1 --store-password-file pw")
    }

    /// More options for the line.
    #[must_use]
    pub fn with(mut self, options: &str) -> Self {
        self.line = format!("{} {options}", self.line);
        self
    }

    /// The command line that issues all devices.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The command line that checks the registry.
    pub fn check(&self) -> String {
        format!("registry check --json --pki {}", self.pki)
    }

    /// A path in the directory of devices.
    pub fn out(&self, name: &str) -> PathBuf {
        self.cli.path(&self.out).join(name)
    }

    /// The registry's files, whether they exist or not: the database and its log.
    pub fn registry_files(&self) -> [PathBuf; 2] {
        ["registry.sqlite", "registry.sqlite-wal"].map(|name| self.cli.path(&self.pki).join(name))
    }

    /// The devices in the registry. It is read from a copy: opening it would tidy up what a killed
    /// process has left, and that is for the next one to do.
    ///
    /// # Panics
    ///
    /// When it cannot be read.
    pub fn records(&self) -> Vec<Record> {
        let copy = tempfile::tempdir().expect("a temporary directory");
        for file in self.registry_files().iter().filter(|file| file.exists()) {
            let name = file.file_name().expect("a name");
            fs::copy(file, copy.path().join(name)).expect("a copy");
        }
        let path = copy.path().join("registry.sqlite");
        let registry = Registry::open(&path, OffsetDateTime::now_utc()).expect("a registry");
        let filter = Filter { role: Some(Role::Device), ..Filter::default() };
        registry.find(&filter).expect("the devices")
    }

    /// Holds every device to the rule, with whatever stopped runs have left. No process may run.
    ///
    /// # Panics
    ///
    /// When the rule is broken.
    pub fn holds(&mut self) -> State {
        let records = self.records();
        let mut by_serial = BTreeMap::new();
        let mut live = BTreeSet::new();
        for record in &records {
            let (id, serial) = (id_of(record), record.serial.to_string());
            assert!(by_serial.insert(serial, record).is_none(), "{id}: a serial number twice");
            assert!(record.status != Status::Live || live.insert(id.clone()), "{id} is live twice");
        }
        let mut places: BTreeMap<String, PathBuf> = BTreeMap::new();
        for dir in [entries(&self.out("")), below(&self.out(REPLACED))].concat() {
            if dir.is_dir() && !is_hidden(&dir) {
                let serial = self.serial_of(&dir).unwrap_or_else(|| panic!("{}", dir.display()));
                assert!(by_serial.contains_key(&serial), "{} is not recorded", dir.display());
                let twice = places.insert(serial, dir);
                assert!(twice.is_none(), "{twice:?} is there twice");
            }
        }
        let mut state = State { rows: records.len(), ..State::default() };
        for run in entries(&self.out(STAGING)) {
            let remains = self.remains(&run, &by_serial, &mut places);
            state.runs.insert(name_of(&run), remains);
        }
        for (serial, record) in by_serial {
            let id = id_of(record);
            let dir = places.remove(&serial).unwrap_or_else(|| panic!("{id}: where is {serial}?"));
            let aside = dir.starts_with(self.out(REPLACED));
            assert!(record.status != Status::Live || !aside, "{id} is live, and moved aside");
            let folder = if aside { dir.parent().expect("a directory") } else { &dir };
            assert_eq!(name_of(folder), id, "{}", dir.display());
            if self.whole.insert(serial) {
                self.is_whole(&dir, record);
            }
        }
        state
    }

    fn remains(
        &mut self,
        run: &Path,
        records: &BTreeMap<String, &Record>,
        places: &mut BTreeMap<String, PathBuf>,
    ) -> Remains {
        let mut remains = Remains::default();
        for chunk in entries(run).into_iter().filter(|path| path.is_dir()) {
            let journal = fs::read_to_string(chunk.join(".journal")).unwrap_or_default();
            let serials = journal.lines().filter_map(|line| line.split('\t').next());
            remains.sealed |= chunk.join(".journal").exists();
            remains.recorded |= serials.into_iter().any(|serial| records.contains_key(serial));
            for device in entries(&chunk).into_iter().filter(|path| path.is_dir()) {
                remains.staged += 1;
                // What is not recorded may be half written, or half removed.
                let serial = self.serial_of(&device);
                let Some(serial) = serial.filter(|s| records.contains_key(s)) else { continue };
                assert!(journal.contains(&serial), "{} has no journal", device.display());
                assert!(places.insert(serial, device.clone()).is_none(), "{}", device.display());
                remains.waiting.push(device);
            }
        }
        remains
    }

    /// The serial number of the certificate in a directory.
    fn serial_of(&mut self, dir: &Path) -> Option<String> {
        let pem = fs::read(dir.join("cert.pem")).ok()?;
        if let Some(serial) = self.serials.get(&pem) {
            return Some(serial.clone());
        }
        let certificate = Certificate::all_from_pem_or_der(&pem).ok()?.into_iter().next()?;
        let serial = certificate.serial.to_string();
        self.serials.insert(pem, serial.clone());
        Some(serial)
    }

    /// Every file of a device is there and whole; its key is that of its certificate.
    fn is_whole(&self, dir: &Path, record: &Record) {
        let at = dir.display();
        let names: BTreeSet<String> = entries(dir).iter().map(|path| name_of(path)).collect();
        assert!(names.iter().map(String::as_str).eq(self.files.iter().copied()), "{at}: {names:?}");
        let read = |name: &str| fs::read(dir.join(name)).expect("a file");
        let cert = Certificate::from_der(&record.der).expect("a certificate");
        for (file, count) in [("cert.pem", 1), ("chain.pem", 3)] {
            let found = Certificate::all_from_pem_or_der(&read(file)).expect("certificates");
            assert_eq!(found.len(), count, "{at}: {file}");
            assert!(found[0].der() == record.der, "{at}: {file}");
        }
        let key = PrivateKey::read(&read("key.pem"), None).expect("a key");
        assert_eq!(key.public_key().spki(), cert.spki, "{at}: another key");
        let password = Password::new(PASSWORD);
        for file in self.files.iter().filter(|name| name.starts_with("keystore.")) {
            let opened = store::open(&read(file), Some(&password), None);
            let opened = opened.unwrap_or_else(|e| panic!("{at}: {file}: {e}"));
            let EntryKind::Key { pkcs8, chain } = opened.entries[0].kind() else {
                panic!("{at}: {file} holds no key")
            };
            assert!(chain[0].der() == record.der, "{at}: {file}");
            let stored = PrivateKey::from_pkcs8(pkcs8.expose()).expect("a key");
            assert_eq!(stored.public_key().spki(), cert.spki, "{at}: {file}");
        }
    }

    /// Holds everything to what it has to be once the line has run to its end: each device live
    /// exactly once, with `certificates` certificates in all, its files in place and whole, and
    /// nothing else left. Every file is read again.
    ///
    /// # Panics
    ///
    /// When it is not so.
    pub fn is_settled(&mut self, certificates: usize) {
        self.whole.clear();
        let state = self.holds();
        assert_eq!(state.rows, self.ids.len() * certificates, "certificates");
        assert!(state.runs.is_empty(), "staging is left: {state:?}");
        let records = self.records();
        let live = records.iter().filter(|record| record.status == Status::Live);
        let live: BTreeSet<String> = live.map(id_of).collect();
        assert!(live == self.ids, "{} of {} are live", live.len(), self.ids.len());
        let mut expected: Vec<String> = self.ids.iter().cloned().collect();
        if certificates > 1 {
            expected.insert(0, REPLACED.to_owned());
        }
        assert_eq!(self.cli.names(&self.out), expected, "something is left");
        walk(&self.cli.path(""), &mut |path| {
            assert!(!name_of(path).ends_with(".tmp"), "{} is left", path.display());
        });
        let report = self.cli.run(&self.check()).expect(0).json();
        assert_eq!(report["keys"]["good"], self.ids.len(), "{report}");
        // One that was killed at its very end has left the registry's log, and the check has closed it.
        assert_eq!(self.cli.names(&self.pki), self.pki_files, "something is left");
    }

    /// Whether a run that replaces all devices has come to its end.
    pub fn is_replaced(&self, state: &State) -> bool {
        let begun = self.out(".c8y-pki-replacing").exists();
        !begun && state.runs.is_empty() && state.rows == 2 * self.ids.len()
    }

    /// In which phase a process was killed: by what it left, and what was left before it.
    pub fn phase(before: &State, after: &State) -> Phase {
        let Some((_, own)) = after.runs.iter().find(|(name, _)| !before.runs.contains_key(*name))
        else {
            let tidied = before.runs != after.runs;
            return if tidied { Phase::Settling } else { Phase::Starting };
        };
        match own {
            Remains { waiting, .. } if !waiting.is_empty() => Phase::Recorded,
            Remains { recorded: true, .. } => Phase::Placed,
            Remains { sealed: true, .. } => Phase::Sealed,
            _ => Phase::Making,
        }
    }
}

fn id_of(record: &Record) -> String {
    record.holder.device().expect("a device has an id").to_string()
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_hidden(path: &Path) -> bool {
    name_of(path).starts_with('.')
}

/// The entries of a directory; none if there is no such directory.
pub fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}

fn below(dir: &Path) -> Vec<PathBuf> {
    entries(dir).iter().flat_map(|folder| entries(folder)).collect()
}
