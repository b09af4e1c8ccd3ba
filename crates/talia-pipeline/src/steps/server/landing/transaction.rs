//! A release that has begun.

use crate::{
    error::Result,
    landing::Tree,
    server::landing::{LandingPlace, Own, Transaction},
    step::{Action, Step, Summary},
};

/// In this process: writes down that a release has begun, from what to what; so that what a
/// kill leaves is known for what it is.
#[derive(Debug)]
pub struct WriteTransaction {
    place: LandingPlace,
    transaction: Transaction,
    base: Tree,
    announced: Tree,
}

impl WriteTransaction {
    /// Writes this one, which begins at `base` and shall become `announced`.
    pub fn new(
        place: &LandingPlace,
        transaction: Transaction,
        base: Tree,
        announced: Tree,
    ) -> Self {
        Self { place: place.clone(), transaction, base, announced }
    }

    fn write(&self) -> Result<()> {
        Transaction::announce(&self.place, &self.base, &self.announced)?;
        self.transaction.write(&self.place)
    }
}

impl Step for WriteTransaction {
    type Output = ();

    fn label(&self) -> String {
        "begin".into()
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("write {}", self.place.transaction()), || self.write())
    }

    fn assume(&self) {}

    fn summary(&self, (): &()) -> Summary {
        Summary::line(self.transaction.id.as_str())
    }
}

/// In this process: lets rsync in, to one folder but for what is hidden there.
#[derive(Debug)]
pub struct OpenTransaction {
    place: LandingPlace,
    transaction: Transaction,
    hidden: Own,
}

impl OpenTransaction {
    /// Lets it in for this one.
    pub fn new(place: &LandingPlace, transaction: Transaction, hidden: Own) -> Self {
        Self { place: place.clone(), transaction, hidden }
    }

    fn open(&self) -> Result<()> {
        self.transaction.admit(&self.place, &self.hidden)?;
        Transaction { is_open: true, ..self.transaction.clone() }.write(&self.place)
    }
}

impl Step for OpenTransaction {
    type Output = ();

    fn label(&self) -> String {
        "let rsync in".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let (rsyncd, own) = (self.place.rsyncd(), self.place.transaction());
        Action::work(format!("write {rsyncd} and {own}"), || self.open())
    }

    fn assume(&self) {}
}

/// In this process: lets no other rsync in; one that works goes on.
#[derive(Debug)]
pub struct ShutTransaction {
    place: LandingPlace,
    transaction: Transaction,
}

impl ShutTransaction {
    /// Lets none into this one.
    pub fn new(place: &LandingPlace, transaction: &Transaction) -> Self {
        Self { place: place.clone(), transaction: transaction.clone() }
    }
}

impl Step for ShutTransaction {
    type Output = ();

    fn label(&self) -> String {
        "let no rsync in".into()
    }

    fn action(&self) -> Action<'_, ()> {
        Action::work(format!("write {}", self.place.transaction()), || {
            Transaction { is_open: false, ..self.transaction.clone() }.write(&self.place)
        })
    }

    fn assume(&self) {}
}

/// In this process: from now on no release has begun.
#[derive(Debug)]
pub struct ForgetTransaction {
    place: LandingPlace,
    is_interrupted: bool,
}

impl ForgetTransaction {
    /// Forgets the one here.
    pub fn new(place: &LandingPlace) -> Self {
        Self { place: place.clone(), is_interrupted: false }
    }

    /// Whether some of its files may be live, though it is not: so that the next release
    /// does not take them for edits by hand.
    #[must_use]
    pub fn interrupted(mut self, is_interrupted: bool) -> Self {
        self.is_interrupted = is_interrupted;
        self
    }
}

impl Step for ForgetTransaction {
    type Output = ();

    fn label(&self) -> String {
        "end the transaction".into()
    }

    fn action(&self) -> Action<'_, ()> {
        let what = format!("remove {}", self.place.transaction());
        Action::work(what, || match self.is_interrupted {
            true => Transaction::interrupt(&self.place),
            false => Transaction::forget(&self.place),
        })
    }

    fn assume(&self) {}
}

#[cfg(test)]
mod tests {
    use super::{super::tests::*, *};
    use crate::steps::testing::check;

    #[test]
    fn write_transaction_minimal() {
        let (base, announced) = (Tree::default(), Tree::default());
        let step = WriteTransaction::new(&place(), transaction(), base, announced);
        check("write_transaction__minimal", &step);
    }

    #[test]
    fn open_transaction_minimal() {
        check(
            "open_transaction__minimal",
            &OpenTransaction::new(&place(), transaction(), Own::default()),
        );
    }

    #[test]
    fn shut_transaction_minimal() {
        check("shut_transaction__minimal", &ShutTransaction::new(&place(), &transaction()));
    }

    #[test]
    fn forget_transaction_minimal() {
        check("forget_transaction__minimal", &ForgetTransaction::new(&place()));
    }
}
