//! What a mock needs of a recording: what is known of every call, and a way to read one.

use crate::recording::outline::SecretPlace;
use crate::recording::{CallId, EffectOutline, Mock, MockOutline, Owner, Recording, TestId};

/// The recorded calls.
pub trait Calls: Send + Sync {
    /// Every call, in the order of the recording, by protocol.
    fn outlines(&self) -> &[MockOutline];

    /// The calls of a test, in their order.
    fn effects(&self, test: TestId) -> &[EffectOutline];

    /// The tests.
    fn tests(&self) -> Box<dyn Iterator<Item = TestId> + '_>;

    /// Where requests have redacted values; a place may come more than once.
    fn secrets(&self) -> &[SecretPlace];

    /// The connection of a call, where that is known.
    fn connection(&self, call: CallId) -> Option<u32>;

    /// Reads a call.
    ///
    /// # Errors
    /// What is wrong with its file, for a person.
    fn read(&self, outline: &MockOutline) -> Result<Mock, String>;
}

impl Calls for Recording {
    fn outlines(&self) -> &[MockOutline] {
        self.mocks()
    }

    fn effects(&self, test: TestId) -> &[EffectOutline] {
        self.find_test(test).map_or(&[], |outline| &outline.effects)
    }

    fn tests(&self) -> Box<dyn Iterator<Item = TestId> + '_> {
        Box::new(Recording::tests(self).iter().map(|outline| outline.id))
    }

    fn secrets(&self) -> &[SecretPlace] {
        &self.index().secrets
    }

    fn connection(&self, call: CallId) -> Option<u32> {
        self.index().connection(Owner::Mock(call))
    }

    fn read(&self, outline: &MockOutline) -> Result<Mock, String> {
        self.mock(outline).map_err(|error| error.to_string())
    }
}
