//! Proofs: a MAC over what a row grants, so that one who can only write the store
//! can't mint it. Written `<kid>.<base64url HMAC-SHA256>`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;

use super::subkeys::{KeyedMac, Subkeys};
use super::{Kid, OpenError, Vault};

/// What a MAC proves; each has a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacPurpose {
    /// That a holder of the ring wrote a row which grants something.
    Row,
    /// That a page which changes something was given to the session that it comes from.
    Csrf,
    /// That a command which calls the operator's listener holds the ring.
    Operator,
    /// That a row of the audit log follows the one before it.
    Audit,
}

/// What a MAC is over: typed parts, each with its length, so that no two lists of
/// parts ever read the same.
#[derive(Clone, Debug)]
pub struct MacParts(Vec<u8>);

impl MacParts {
    /// Begins with the kind of thing that is proved, say `gateway_token`.
    pub fn new(kind: &str) -> Self {
        Self(Vec::with_capacity(256)).text(kind)
    }

    /// Adds a text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.bytes(b't', text.as_bytes());
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, number: i64) -> Self {
        self.bytes(b'n', &number.to_be_bytes());
        self
    }

    /// Adds a list of texts, or a text that may be missing.
    #[must_use]
    pub fn texts<'t>(self, texts: impl IntoIterator<Item = &'t str>) -> Self {
        texts.into_iter().fold(self.mark(b'['), Self::text).mark(b']')
    }

    /// Adds a list of numbers, or a number that may be missing.
    #[must_use]
    pub fn numbers(self, numbers: impl IntoIterator<Item = i64>) -> Self {
        numbers.into_iter().fold(self.mark(b'['), Self::number).mark(b']')
    }

    /// As they are proved.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn bytes(&mut self, tag: u8, part: &[u8]) {
        self.0.push(tag);
        self.0.extend_from_slice(&(part.len() as u64).to_be_bytes());
        self.0.extend_from_slice(part);
    }

    fn mark(mut self, tag: u8) -> Self {
        self.0.push(tag);
        self
    }
}

impl Vault {
    /// A MAC under the primary, which names its key.
    pub fn mac(&self, purpose: MacPurpose, parts: &MacParts) -> String {
        write(self.primary.kid, self.primary.keyed(purpose), &parts.0)
    }

    /// A number that a conversation is known by, under the primary: a new primary gives
    /// every conversation another.
    pub fn conversation(&self, parts: &MacParts) -> u64 {
        let keyed = self.primary.conversation.clone();
        let [a, b, c, d, e, f, g, h, ..] = keyed.chain_update(&parts.0).finalize().into_bytes().0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// Checks a MAC under the key that it names, in constant time.
    ///
    /// # Errors
    /// [`OpenError::UnknownKid`] when the ring has no such key, [`OpenError::Tampered`]
    /// when the parts are others, [`OpenError::Malformed`] when it is no MAC.
    pub fn check_mac(
        &self,
        purpose: MacPurpose,
        parts: &MacParts,
        mac: &str,
    ) -> Result<(), OpenError> {
        let (kid, proof) = read(mac)?;
        let keyed = self.under(kid)?.keyed(purpose);
        verify(keyed, &parts.0, &proof).ok_or(OpenError::Tampered { kid })
    }
}

impl Subkeys {
    fn keyed(&self, purpose: MacPurpose) -> &KeyedMac {
        match purpose {
            MacPurpose::Row => &self.row,
            MacPurpose::Csrf => &self.csrf,
            MacPurpose::Operator => &self.operator,
            MacPurpose::Audit => &self.audit,
        }
    }
}

pub(super) fn write(kid: Kid, keyed: &KeyedMac, message: &[u8]) -> String {
    named(kid, keyed.clone().chain_update(message))
}

/// A finished MAC behind its key's name.
pub(super) fn named(kid: Kid, keyed: KeyedMac) -> String {
    let proof = keyed.finalize().into_bytes();
    let mut text = String::with_capacity(kid.as_str().len() + 44);
    text.push_str(kid.as_str());
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(proof, &mut text);
    text
}

pub(super) fn read(text: &str) -> Result<(Kid, [u8; 32]), OpenError> {
    let (kid, encoded) = text.split_once('.').ok_or(OpenError::Malformed)?;
    let kid = Kid::parse(kid).ok_or(OpenError::Malformed)?;
    let mut proof = [0; 32];
    match URL_SAFE_NO_PAD.decode_slice(encoded, &mut proof) {
        Ok(32) => Ok((kid, proof)),
        _ => Err(OpenError::Malformed),
    }
}

pub(super) fn verify(keyed: &KeyedMac, message: &[u8], proof: &[u8; 32]) -> Option<()> {
    keyed.clone().chain_update(message).verify_slice(proof).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{NEW, OLD, vault};
    use super::*;

    fn row() -> MacParts {
        MacParts::new("gateway_token").number(7).texts(["chat"]).numbers(Some(-1)).texts(None)
    }

    #[test]
    fn a_row_that_was_written_here_is_believed_after_a_rotation_too() {
        let mac = vault(OLD).mac(MacPurpose::Row, &row());
        assert_eq!(vault(OLD).check_mac(MacPurpose::Row, &row(), &mac), Ok(()));
        let both = vault(&format!("{NEW},{OLD}"));
        assert_eq!(both.check_mac(MacPurpose::Row, &row(), &mac), Ok(()));
        assert!(both.mac(MacPurpose::Row, &row()).starts_with("new."));
        let kid = Kid::parse("old").unwrap();
        assert_eq!(
            vault(NEW).check_mac(MacPurpose::Row, &row(), &mac),
            Err(OpenError::UnknownKid { kid })
        );
    }

    #[test]
    fn t_mint_a_row_that_was_not_written_here_is_refused() {
        let vault = vault(&format!("{OLD},{NEW}"));
        let mac = vault.mac(MacPurpose::Row, &row());
        let tampered = Err(OpenError::Tampered { kid: Kid::parse("old").unwrap() });
        for other in [
            MacParts::new("session").number(7).texts(["chat"]).numbers(Some(-1)).texts(None),
            MacParts::new("gateway_token").number(8).texts(["chat"]).numbers(Some(-1)).texts(None),
            MacParts::new("gateway_token")
                .number(7)
                .texts(["c", "hat"])
                .numbers(Some(-1))
                .texts(None),
            MacParts::new("gateway_token").number(7).texts(["chat"]).numbers(None).texts(None),
            row().texts(None),
        ] {
            assert_eq!(vault.check_mac(MacPurpose::Row, &other, &mac), tampered);
        }
        assert_eq!(vault.check_mac(MacPurpose::Operator, &row(), &mac), tampered);
        for at in 0..mac.len() {
            let mut mac = mac.clone().into_bytes();
            mac[at] = if mac[at] == b'A' { b'B' } else { b'A' };
            let mac = String::from_utf8(mac).unwrap();
            assert!(vault.check_mac(MacPurpose::Row, &row(), &mac).is_err(), "{mac}");
        }
        for mac in ["", ".", "old", "old.", "old.AAAA", "old.!"] {
            assert_eq!(
                vault.check_mac(MacPurpose::Row, &row(), mac),
                Err(OpenError::Malformed),
                "{mac}"
            );
        }
    }

    #[derive(Clone, Debug, PartialEq)]
    enum Part {
        Text(String),
        Number(i64),
        Texts(Vec<String>),
        Numbers(Vec<i64>),
    }

    fn parts() -> impl Strategy<Value = Vec<Part>> {
        let text = "[a-b\\[t]{0,2}";
        let number = 0..3i64;
        let part = prop_oneof![
            text.prop_map(Part::Text),
            number.clone().prop_map(Part::Number),
            prop::collection::vec(text, 0..3).prop_map(Part::Texts),
            prop::collection::vec(number, 0..3).prop_map(Part::Numbers),
        ];
        prop::collection::vec(part, 0..4)
    }

    fn written(parts: &[Part]) -> Vec<u8> {
        let all = parts.iter().fold(MacParts::new("k"), |all, part| match part {
            Part::Text(text) => all.text(text),
            Part::Number(number) => all.number(*number),
            Part::Texts(texts) => all.texts(texts.iter().map(String::as_str)),
            Part::Numbers(numbers) => all.numbers(numbers.iter().copied()),
        });
        all.0
    }

    /// Two lists that are empty read the same whatever they would have held.
    fn without_types_of_empty_lists(parts: &[Part]) -> Vec<Part> {
        let same = |part: &Part| match part {
            Part::Numbers(numbers) if numbers.is_empty() => Part::Texts(Vec::new()),
            part => part.clone(),
        };
        parts.iter().map(same).collect()
    }

    proptest! {
        #[test]
        fn different_parts_never_read_the_same(one in parts(), two in parts()) {
            prop_assert_eq!(
                without_types_of_empty_lists(&one) == without_types_of_empty_lists(&two),
                written(&one) == written(&two)
            );
        }
    }
}
