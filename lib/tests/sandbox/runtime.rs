//! Both clients of the platform on threads of a tokio runtime, where a service would call them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use c8y_pki_core::cert::Certificate;
use c8y_pki_engine::platform::{self, Login, PlatformError, Settings, blocking, tenant, trusted};
use c8y_pki_sandbox::{self as sandbox, Faults, Sandbox};
use tokio::runtime::{Builder, Runtime};

fn start() -> Sandbox {
    Sandbox::start(sandbox::Settings::default()).unwrap()
}

fn settings(sandbox: &Sandbox) -> Settings {
    let login = Login::user(None, sandbox.user(), sandbox.password().clone());
    let roots = Certificate::all_from_pem_or_der(sandbox.ca_pem().as_bytes()).unwrap();
    Settings { roots, ..Settings::new(sandbox.url(), login) }
}

fn runtimes() -> [Runtime; 2] {
    [Builder::new_current_thread(), Builder::new_multi_thread()]
        .map(|mut builder| builder.enable_all().build().unwrap())
}

#[test]
fn the_asynchronous_client_is_a_task_among_others() {
    let sandbox = start();
    for runtime in runtimes() {
        let client = Arc::new(platform::Client::new(&settings(&sandbox)).unwrap());
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let client = Arc::clone(&client);
                runtime.spawn(async move { trusted::list(&client).await.map(|all| all.len()) })
            })
            .collect();
        for task in tasks {
            assert_eq!(runtime.block_on(task).unwrap().unwrap(), 0);
        }
    }
}

#[test]
fn the_blocking_client_waits_there_too() {
    let sandbox = start();
    for runtime in runtimes() {
        let settings = settings(&sandbox);
        runtime.block_on(async move {
            let client = blocking::Client::new(&settings).unwrap();
            let first = client.wait(tenant::current(&client)).unwrap();
            let second = client.wait(tenant::current(&client)).unwrap();
            assert_eq!(first.id, second.id);
            // It ends here, on the runtime's own thread.
        });
    }
}

#[test]
fn a_wait_on_a_runtime_ends_when_it_is_told_to_stop() {
    let sandbox = start();
    sandbox.set_faults("503=1".parse::<Faults>().unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let client = platform::Client::new(&settings(&sandbox)).unwrap().stop_when(Arc::clone(&stop));
    for runtime in runtimes() {
        stop.store(false, Ordering::Relaxed);
        let told = Arc::clone(&stop);
        let stopped = runtime.block_on(async {
            let telling = async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                told.store(true, Ordering::Relaxed);
            };
            tokio::join!(trusted::list(&client), telling).0
        });
        assert!(matches!(stopped, Err(PlatformError::Stopped { .. })), "{stopped:?}");
    }
}
