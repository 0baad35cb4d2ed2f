//! Where the shell lays its driver while it sleeps, so that who only looks need not wake it.
//!
//! A call that goes through the mailbox changes threads twice, which takes longer than most reads.
//! While nothing is to be done the driver lies on the desk, and a caller reads on its own thread.

use crate::Driver;
use std::{
    ops::{Deref, DerefMut},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// The methods that may be answered so: they change nothing, are answered at once, and take a time
/// that is bounded by their params.
pub(super) const LOOKS: [&str; 2] = ["payecs_getcomponents", "payecs_getdefaultsystems"];

/// One for a shell and its handles.
#[derive(Debug, Default)]
pub(super) struct Desk {
    driver: Mutex<Option<Box<Driver>>>,
    /// Commands that were given and are not obeyed yet.
    waiting: AtomicUsize,
    /// The disk of the journal is full.
    full: AtomicBool,
}

impl Desk {
    /// A command is given; to be said before it is.
    pub(super) fn one_comes(&self) {
        self.waiting.fetch_add(1, Ordering::AcqRel);
    }

    /// A command was obeyed, or was not taken in.
    pub(super) fn one_is_done(&self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// Whether commands are refused, since the disk of the journal is full.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// What the driver has to say here and now, if it lies there and no command waits: whoever gave
    /// one before sees what came of it.
    pub(super) fn look<R>(&self, look: impl FnOnce(&mut Driver) -> Option<R>) -> Option<R> {
        let mut desk = self.desk();
        let driver = desk.as_deref_mut()?;
        if self.waiting.load(Ordering::Acquire) > 0 || self.is_full() {
            return None;
        }
        look(driver)
    }

    /// Lays the driver there until the loan is dropped.
    pub(super) fn lay<'a>(&'a self, own: &'a mut Own) -> Loan<'a> {
        *self.desk() = own.0.take();
        Loan { desk: self, own }
    }

    /// # Panics
    /// If a look has panicked: nobody knows what it left behind.
    fn desk(&self) -> MutexGuard<'_, Option<Box<Driver>>> {
        self.driver.lock().expect("a look at the driver panicked")
    }
}

/// The driver of a shell that is awake.
#[derive(Debug)]
pub(super) struct Own(Option<Box<Driver>>);

impl Own {
    pub(super) fn new(driver: Driver) -> Self {
        Self(Some(Box::new(driver)))
    }

    pub(super) fn into_inner(self) -> Driver {
        *self.0.expect(AWAKE)
    }
}

const AWAKE: &str = "a loan gives back what it took";

impl Deref for Own {
    type Target = Driver;

    fn deref(&self) -> &Driver {
        self.0.as_deref().expect(AWAKE)
    }
}

impl DerefMut for Own {
    fn deref_mut(&mut self) -> &mut Driver {
        self.0.as_deref_mut().expect(AWAKE)
    }
}

/// The driver lies on the desk as long as this lives.
pub(super) struct Loan<'a> {
    desk: &'a Desk,
    own: &'a mut Own,
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        // Whoever looks is waited for.
        if let Ok(mut desk) = self.desk.driver.lock() {
            self.own.0 = desk.take();
        }
    }
}
