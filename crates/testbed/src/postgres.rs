//! Where does a real PostgreSQL come from, and how is it stopped, killed and started again?
//!
//! From the programs that are installed (`initdb`, `postgres`, `psql`), in a private directory,
//! on a free port of loopback and on a socket in that directory. It syncs as a server in earnest
//! does, unless told otherwise.
//!
//! Nothing here waits for the clock: a server is ready when it says so in its log, and has ended
//! when the last of its processes has closed that log. Every wait has a bound all the same.
//!
//! A server ends with its [`Postgres`], and also when the process that started it is killed or
//! keeps it in a static: a shell beside it waits for that process's end, ends the server and
//! removes the directory.
//!
//! ```no_run
//! use tidegate_testbed::postgres::{Postgres, Settings};
//!
//! let mut server = Postgres::start(Settings::default())?;
//! server.psql("postgres", "CREATE DATABASE mine")?;
//! server.kill()?; // as a power failure does, but for what the operating system holds
//! server.restart()?;
//! assert_eq!(server.psql("mine", "SELECT 1 + 1")?, "2");
//! # Ok::<(), tidegate_testbed::postgres::Error>(())
//! ```

mod log;
mod programs;
mod user;

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use log::Log;
use programs::Programs;
use user::User;

/// The superuser.
pub const USER: &str = "postgres";
/// Its password, which connections over TCP need.
pub const PASSWORD: &str = "ebb-and-flood";

/// Longest time for a start: recovery after a kill is part of it.
const START: Duration = Duration::from_secs(60);
/// Longest time for an end, once asked.
const END: Duration = Duration::from_secs(30);
/// Ports to try: another process may take one between our look and the server's.
const PORTS: u32 = 5;

/// How a server runs.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Parameters of the server, as in `postgresql.conf`; later ones win.
    pub parameters: Vec<(String, String)>,
    /// What it shows to clients that ask for TLS; without it they are told that there is none.
    pub tls: Option<Tls>,
}

impl Settings {
    /// The same with one more parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A server's certificate and key, PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate, with those above it.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// A server could not be started, ended or asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The programs are not there.
    #[error(
        "`{program}` is neither in PATH nor in {searched}: install PostgreSQL's server and client \
         (Debian and Ubuntu: `apt-get install postgresql`, without starting it)"
    )]
    Missing {
        /// The program.
        program: &'static str,
        /// Where it was looked for.
        searched: String,
    },
    /// There is nobody to run it as.
    #[error(
        "PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody` to \
         run it as: add one, or run this as another user"
    )]
    NoUser,
    /// The system said no.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// A program ended with an error.
    #[error("{program} failed: {said}")]
    Failed {
        /// The program.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// The server did not begin, or not end.
    #[error("the server did not {what}; its log ends:\n{log}")]
    Stuck {
        /// What it did not do.
        what: &'static str,
        /// The last lines of its log.
        log: String,
    },
    /// The process is none of this server's.
    #[error("process {0} is no backend of this server")]
    NoBackend(u32),
}

/// What was tried, for an error of the system.
fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let what = what.into();
    move |source| Error::System { what, source }
}

/// A server of one's own.
#[derive(Debug)]
pub struct Postgres {
    directory: PathBuf,
    programs: Programs,
    user: Option<User>,
    parameters: Vec<(String, String)>,
    port: u16,
    running: Option<Running>,
    /// Ends the server and removes the directory once its standard input is closed.
    keeper: Child,
}

/// The server's first process and its log.
#[derive(Debug)]
struct Running {
    postmaster: Child,
    log: Log,
}

impl Postgres {
    /// Makes a new cluster and starts a server on it.
    ///
    /// # Errors
    ///
    /// [`Error`] says what is missing, or what the server said.
    pub fn start(settings: Settings) -> Result<Self, Error> {
        let programs = Programs::find()?;
        let user = User::to_run_as()?;
        let directory = tempfile::Builder::new()
            .prefix("tidegate-pg-")
            .tempdir()
            .map_err(system("make a temporary directory"))?;
        if let Some(user) = user {
            user.own(directory.path())?;
        }
        let keeper = keeper(directory.path(), user)?;
        // From here on the keeper removes it.
        let mut server = Self {
            directory: directory.keep(),
            programs,
            user,
            parameters: settings.parameters,
            port: 0,
            running: None,
            keeper,
        };
        server.make_cluster()?;
        if let Some(tls) = settings.tls {
            server.keep_certificate(&tls)?;
        }
        for attempt in 1.. {
            server.port = free_port()?;
            match server.restart() {
                Err(Error::Stuck { log, .. })
                    if attempt < PORTS && log.contains("Address already in use") => {}
                started => return started.map(|()| server),
            }
        }
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The directory that holds its socket: there [`USER`] needs no password.
    #[must_use]
    pub fn socket_directory(&self) -> &Path {
        &self.directory
    }

    /// A URL of one of its databases, with user and password.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://{USER}:{PASSWORD}@{}/{database}", self.address())
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.running.as_ref().map(|running| running.log.tail()).unwrap_or_default()
    }

    /// Runs statements with `psql` and gives back what they print, unaligned and without heads.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] with what `psql` said.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String, Error> {
        let mut command = Command::new(&self.programs.psql);
        command
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", USER, "-d", database, "-c", sql])
            .args(["-p", &self.port.to_string()])
            .arg("-h")
            .arg(&self.directory);
        run("psql", &mut command)
    }

    /// Starts it, if it does not run, on the cluster and the port that it had.
    ///
    /// # Errors
    ///
    /// [`Error::Stuck`] with its log when it does not begin.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.stop()?;
        let mut command = self.command(&self.programs.postgres);
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        let sockets = self.directory.display().to_string();
        let own = [
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", sockets.as_str()),
            ("logging_collector", "off"),
            ("log_destination", "stderr"),
            ("lc_messages", "C"),
        ];
        let theirs = self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.into_iter().chain(theirs) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut postmaster = command.spawn().map_err(system("start `postgres`"))?;
        let stderr = postmaster.stderr.take();
        let log = Log::read(stderr).map_err(system("read the server's log"))?;
        let is_ready = log.is_ready_within(START);
        let running = self.running.insert(Running { postmaster, log });
        if is_ready {
            return Ok(());
        }
        let log = running.log.tail();
        self.kill()?;
        Err(Error::Stuck { what: "begin", log })
    }

    /// Ends it in order: clients are disconnected, what is in shared memory is written.
    ///
    /// # Errors
    ///
    /// [`Error::Stuck`] when it does not end.
    pub fn stop(&mut self) -> Result<(), Error> {
        let Some(running) = &self.running else { return Ok(()) };
        signal(&running.postmaster, Signal::INT)?;
        self.ended()
    }

    /// Kills every process of it at once (SIGKILL). The next start recovers from the write-ahead
    /// log.
    ///
    /// # Errors
    ///
    /// [`Error::System`] when a process cannot be killed.
    pub fn kill(&mut self) -> Result<(), Error> {
        let Some(running) = &self.running else { return Ok(()) };
        // Stopped, it starts no further process between our look and the kill.
        signal(&running.postmaster, Signal::STOP)?;
        for backend in user::children(running.postmaster.id())? {
            kill(backend, Signal::KILL)?;
        }
        signal(&running.postmaster, Signal::KILL)?;
        self.ended()
    }

    /// Kills one backend (SIGKILL), for which the server resets all others too. Its number is what
    /// `pg_backend_pid()` gives.
    ///
    /// # Errors
    ///
    /// [`Error::NoBackend`] when it is none of this server's.
    pub fn crash_backend(&self, backend: u32) -> Result<(), Error> {
        let running = self.running.as_ref().ok_or(Error::NoBackend(backend))?;
        if !user::children(running.postmaster.id())?.contains(&backend) {
            return Err(Error::NoBackend(backend));
        }
        kill(backend, Signal::KILL)
    }

    /// Waits until every process of the server has ended.
    fn ended(&mut self) -> Result<(), Error> {
        let Some(mut running) = self.running.take() else { return Ok(()) };
        if !running.log.is_closed_within(END) {
            let log = running.log.tail();
            self.running = Some(running);
            return Err(Error::Stuck { what: "end", log });
        }
        running.postmaster.wait().map(drop).map_err(system("wait for `postgres`"))
    }

    fn make_cluster(&self) -> Result<(), Error> {
        let password = self.directory.join("password");
        self.write(&password, PASSWORD)?;
        let mut command = self.command(&self.programs.initdb);
        command
            .args(["--no-sync", "--encoding=UTF8", "--locale=C", "--username", USER])
            .args(["--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile"])
            .arg(&password)
            .arg("-D")
            .arg(self.data());
        run("initdb", &mut command).map(drop)
    }

    fn keep_certificate(&mut self, tls: &Tls) -> Result<(), Error> {
        let parts = [("ssl_cert_file", &tls.certificate), ("ssl_key_file", &tls.key)];
        self.parameters.push(("ssl".to_owned(), "on".to_owned()));
        for (parameter, pem) in parts {
            let path = self.directory.join(parameter);
            self.write(&path, pem)?;
            self.parameters.push((parameter.to_owned(), path.display().to_string()));
        }
        Ok(())
    }

    /// Writes a file that only the server's user can read.
    fn write(&self, path: &Path, text: &str) -> Result<(), Error> {
        let write = || {
            fs::write(path, text)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        };
        write().map_err(system(format!("write {}", path.display())))?;
        self.user.map_or(Ok(()), |user| user.own(path))
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C").current_dir(&self.directory);
        if let Some(user) = self.user {
            user.run(&mut command);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // There is nobody left to tell; the keeper tries again.
        let _ = self.kill();
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// The shell that ends the server once its standard input is closed, however that comes about.
fn keeper(directory: &Path, user: Option<User>) -> Result<Child, Error> {
    const SCRIPT: &str = r#"
        read -r _
        server=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
        if [ -n "$server" ] && kill -QUIT "$server" 2>/dev/null; then
            for _ in 1 2 3 4 5 6 7 8 9 10; do
                kill -0 "$server" 2>/dev/null || break
                sleep 0.2
            done
        fi
        rm -rf "$1"
    "#;
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "keeper"]).arg(directory).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(user) = user {
        user.run(&mut command);
    }
    command.spawn().map_err(system("start `sh`"))
}

fn run(program: &'static str, command: &mut Command) -> Result<String, Error> {
    let output =
        command.stdin(Stdio::null()).output().map_err(system(format!("start `{program}`")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(Error::Failed { program, said })
}

/// A port that is free now.
fn free_port() -> Result<u16, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(system("find a free port"))
}

fn signal(process: &Child, signal: Signal) -> Result<(), Error> {
    kill(process.id(), signal)
}

/// Sends a signal. A process that has ended already is no error.
fn kill(process: u32, signal: Signal) -> Result<(), Error> {
    let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) else { return Ok(()) };
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(Error::System {
            what: format!("send {signal:?} to process {process}"),
            source: error.into(),
        }),
    }
}
