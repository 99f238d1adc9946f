//! A private MariaDB: its files in a scratch folder, on a free port of loopback, gone with the value.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::failure::{Context, Failure, Fallible};
use crate::process::{self, Running, Scratch};

/// How long it may take to create its files and to answer.
const STARTS_WITHIN: Duration = Duration::from_secs(90);

/// A running server. Whoever connects to [`MariaDb::url`] may create databases.
pub struct MariaDb {
    port: u16,
    // Dropped in this order: first the program, then its files.
    _server: Running,
    folder: Scratch,
}

impl MariaDb {
    /// Creates empty databases and starts a server over them; what it says goes to `log`. Commits are durable, as in production.
    pub fn start(log: &Path) -> Fallible<Self> {
        let folder = Scratch::new()?;
        let data = folder.path().join("data");
        let socket = folder.path().join("s.sock");
        let port = process::free_port()?;
        // As root it must be told that this is meant; other users need nothing.
        let as_root = process::output(Command::new("id").arg("-u"))?.trim() == "0";
        let user = as_root.then_some("--user=root");

        let mut create = Command::new(find("mariadb-install-db")?);
        create.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        create.arg(format!("--datadir={}", data.display())).args(user);
        process::output(&mut create)?;

        let mut serve = Command::new(find("mariadbd")?);
        serve
            .arg("--no-defaults")
            .args(user)
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", socket.display()))
            .arg(format!("--pid-file={}", folder.path().join("pid").display()))
            .arg(format!("--port={port}"))
            .args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin", "--max-connections=500"])
            .args(["--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin"])
            .args(["--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=256M"]);
        let mut server = Running::start("MariaDB", &mut serve, log)?;

        let client = find("mariadb")?;
        let grant = "CREATE USER IF NOT EXISTS root@'127.0.0.1' IDENTIFIED BY ''; \
                     GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION";
        server.wait_until("to answer", STARTS_WITHIN, || {
            let socket = format!("--socket={}", socket.display());
            process::succeeds(Command::new(&client).args(["--no-defaults", "-uroot", &socket, "-e", grant]))
        })?;
        Ok(Self { port, _server: server, folder })
    }

    /// `mysql://root@127.0.0.1:PORT`; a database is named behind a slash.
    pub fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}", self.port)
    }

    /// Runs SQL and returns what it printed, tab-separated and without headings.
    pub fn query(&self, sql: &str) -> Fallible<String> {
        let socket = format!("--socket={}", self.folder.path().join("s.sock").display());
        process::output(Command::new(find("mariadb")?).args([
            "--no-defaults",
            "-uroot",
            &socket,
            "-N",
            "-B",
            "-e",
            sql,
        ]))
    }
}

/// Debian keeps servers out of an ordinary user's search path.
fn find(name: &str) -> Fallible<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| Failure::new("not installed"))
        .context(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_tells_upper_from_lower_case_and_leaves_nothing_behind() {
        let logs = Scratch::new().unwrap();
        let server = MariaDb::start(&logs.path().join("log")).unwrap();
        let sql = "CREATE DATABASE d; USE d; CREATE TABLE t (id VARCHAR(9) UNIQUE); INSERT INTO t VALUES ('a'), ('A'); \
                   SELECT COUNT(*), @@innodb_flush_log_at_trx_commit FROM t";
        assert_eq!(server.query(sql).unwrap().trim(), "2\t1");
        assert!(server.url().ends_with(&server.port.to_string()));
        let folder = server.folder.path().to_owned();
        drop(server);
        assert!(!folder.exists());
    }
}
