//! How a daemon is reached: what it leaves in its data directory.

use std::{
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// The directory below the data directory with what callers need.
const DIR: &str = "access";
/// The file with the address that is served; there while a daemon runs, or was killed.
const ADDRESS: &str = "address";
/// The file with the owner's token.
const COOKIE: &str = "cookie";

/// Where callers find a daemon.
#[derive(Clone, Debug)]
pub(crate) struct Reach(PathBuf);

impl Reach {
    pub(crate) fn of(data_dir: &Path) -> Self {
        Self(data_dir.join(DIR))
    }

    /// The directory of the tokens.
    pub(crate) fn dir(&self) -> &Path {
        &self.0
    }

    /// The socket for the owner's programs.
    pub(crate) fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }

    pub(crate) fn cookie(&self) -> PathBuf {
        self.0.join(COOKIE)
    }

    /// Notes what is served. The directory is there and its owner's alone.
    pub(crate) fn note(&self, address: SocketAddr) -> io::Result<()> {
        let (new, file) = (self.0.join("address.new"), self.0.join(ADDRESS));
        let mut options = fs::OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&new)?.write_all(address.to_string().as_bytes())?;
        fs::rename(new, file)
    }

    /// Takes away what a daemon that was killed has left.
    pub(crate) fn clear(&self) -> io::Result<()> {
        match fs::remove_file(self.0.join(ADDRESS)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Takes the note and the owner's token away, unless another daemon has left its own.
    pub(crate) fn forget(&self, address: SocketAddr) {
        if self.address().is_ok_and(|noted| noted == address) {
            for name in [ADDRESS, COOKIE] {
                // Whoever finds it is told that nobody answers.
                let _stays = fs::remove_file(self.0.join(name));
            }
        }
    }

    /// What is served.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        let text = fs::read_to_string(self.0.join(ADDRESS))?;
        text.trim().parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "no address"))
    }
}
