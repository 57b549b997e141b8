//! The outermost process: makes the namespaces, relays connections and signals, and outlives
//! everything inside.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process, thread,
};

use anyhow::{Context as _, Result, anyhow, bail};
use futures::future::try_join_all;
use nix::{
    errno::Errno,
    libc,
    sched::{CloneFlags, unshare},
    sys::{
        signal::{SigSet, Signal, kill},
        signalfd::{SfdFlags, SignalFd},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{Pid, getgid, getuid},
};

use super::{
    addresses::{API, STATUS},
    network,
    openings::{Inside, Openings, Outside},
    stage::{self, Stage},
};
use crate::{
    engine::{self, Place},
    forward,
};

/// Runs the program inside new namespaces and ends this process with its exit code. With an engine it
/// also makes, and in the end removes, what that has outside of them.
pub(super) fn run(
    openings: &Openings,
    proxy_inside: SocketAddr,
    with_engine: bool,
) -> Result<Inside> {
    if with_engine && let Some(obstacle) = engine::obstacle() {
        bail!("COALMINE_BED=k3s-offline cannot run here: {obstacle}");
    }
    build()?;
    let place = with_engine.then(Place::make).transpose()?;
    // A socket stays in the namespace in which it was made: these must come first.
    let (api, api_at) = listen("api", openings.api)?;
    let (proxy, proxy_at) = listen("proxy", openings.proxy)?;
    let (status, status_at) = listen("status", openings.status)?;
    let outside = Outside { api: api_at, proxy: proxy_at, status: status_at };
    make_network_namespace()?;
    // Before the relay's thread starts, which must not take them either.
    let signals = watch_signals()?;
    relay(vec![(api, API), (proxy, proxy_inside), (status, STATUS)])?;
    // After this the thread can start processes, but no threads.
    unshare(CloneFlags::CLONE_NEWPID).map_err(refused)?;
    let guard = fs::read_link("/proc/self").context("cannot read /proc/self")?;
    let guard = guard.to_string_lossy().into_owned();
    let mut init = stage::command(&Stage::Init { guard, outside })?;
    init.envs(place.as_ref().map(|place| ("DOCKER_HOST", place.docker_host())));
    let init = init.spawn().context("cannot start this program inside its namespace")?;
    let code = outlive(&signals, Pid::from_raw(init.id().cast_signed()));
    if let Some(place) = place {
        place.remove();
    }
    process::exit(code?)
}

/// Makes sure that every program of a bed is there. A process of its own does it: it runs threads,
/// and a process with threads may not enter a namespace of users.
fn build() -> Result<()> {
    let built = stage::command(&Stage::Build)?.status().context("cannot start this program")?;
    if !built.success() {
        // It has said why.
        process::exit(1);
    }
    Ok(())
}

/// Prepares the network and starts the thread that joins the outside with it.
fn relay(doors: Vec<(TcpListener, SocketAddr)>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(network::prepare())?;
    thread::Builder::new().name("relay".into()).spawn(move || {
        runtime.block_on(async {
            let serving = doors.into_iter().map(|(listener, inside)| async move {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                forward::serve(listener, inside).await;
                io::Result::Ok(())
            });
            if let Err(error) = try_join_all(serving).await {
                eprintln!("nothing outside reaches the bed: {error}");
            }
        });
    })?;
    Ok(())
}

fn listen(what: &str, port: u16) -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| {
        format!("cannot listen on 127.0.0.1:{port} for the {what}; choose another port or 0")
    })?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Makes the namespace of the network, with one of users where we may not make it otherwise.
fn make_network_namespace() -> Result<()> {
    match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => return Ok(()),
        Err(Errno::EPERM) => {}
        Err(error) => return Err(refused(error)),
    }
    let (user, group) = (getuid(), getgid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET).map_err(refused)?;
    // We stay who we are: files keep their owner, and no program inside believes to be root.
    fs::write("/proc/self/setgroups", "deny").context("cannot write /proc/self/setgroups")?;
    let maps = [("uid", user.as_raw()), ("gid", group.as_raw())];
    for (kind, id) in maps {
        let file = format!("/proc/self/{kind}_map");
        fs::write(&file, format!("{id} {id} 1\n")).with_context(|| {
            format!("cannot write {file}; if AppArmor restricts user namespaces here, {APPARMOR}")
        })?;
    }
    Ok(())
}

const APPARMOR: &str = "run `sysctl kernel.apparmor_restrict_unprivileged_userns=0` as root";

fn refused(error: Errno) -> anyhow::Error {
    let settings = [
        (
            "/proc/sys/kernel/unprivileged_userns_clone",
            "0",
            "sysctl kernel.unprivileged_userns_clone=1",
        ),
        ("/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ];
    let closed = settings.iter().find(|(file, closed, _)| {
        fs::read_to_string(file).is_ok_and(|value| value.trim() == *closed)
    });
    let what = match closed {
        Some((file, value, command)) => format!("{file} is {value}: run `{command}` as root"),
        None => "run as root, or in a container allow it (--privileged, or --cap-add SYS_ADMIN \
                 with a seccomp profile that permits unshare)"
            .to_owned(),
    };
    anyhow!(
        "the kernel refuses the local bed its namespaces ({error}); {what}, or use a cluster of \
         your own with COALMINE_BED=existing"
    )
}

/// The signals a guard or an init passes on, and the end of a child. Blocked from here on.
pub(super) fn watch_signals() -> Result<SignalFd> {
    let signals = relayed();
    signals.thread_block().context("cannot block signals")?;
    SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC).context("cannot watch signals")
}

/// A started program inherits what its parent blocked.
pub(super) fn unblock_signals() -> Result<()> {
    relayed().thread_unblock().context("cannot unblock signals")
}

fn relayed() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGCHLD]
        .into_iter()
        .collect()
}

/// Relays signals to `child` until it ends; its exit code.
pub(super) fn outlive(signals: &SignalFd, child: Pid) -> Result<i32> {
    loop {
        match signals.read_signal() {
            Ok(Some(signal)) => {
                if let Some(code) = on_signal(&signal, child)? {
                    return Ok(code);
                }
            }
            Ok(None) | Err(Errno::EINTR) => {}
            Err(error) => bail!("cannot read signals: {error}"),
        }
    }
}

/// Passes a signal on to `child`, or reaps; the child's exit code when it has ended.
fn on_signal(signal: &libc::signalfd_siginfo, child: Pid) -> Result<Option<i32>> {
    let number = Signal::try_from(i32::try_from(signal.ssi_signo)?)?;
    if number != Signal::SIGCHLD {
        // What the terminal sends, it sends to every process of the foreground group itself; but that
        // it is gone it tells only the leader of its session, which the guard may be.
        if signal.ssi_code != libc::SI_KERNEL || number == Signal::SIGHUP {
            match kill(child, number) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => bail!("cannot pass {number} on: {error}"),
            }
        }
        return Ok(None);
    }
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => return Ok(Some(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                return Ok(Some(128 + signal as i32));
            }
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(None),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => bail!("cannot wait for a child: {error}"),
        }
    }
}
