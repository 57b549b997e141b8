//! Signatures by OpenPGP keys (RFC 9580), as `git commit -S` makes them with gpg.

use jiff::Timestamp;
use pgp::composed::{Deserializable, DetachedSignature, PublicOrSecret, SignedPublicKey};
use pgp::packet::{Signature, SignatureType};

use super::certificate::{Candidate, lasts, sound};
use coalmine_core::reason::Advice;

/// What an armored keyring begins with; several may stand in one file.
const ARMOR: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// The certificates of one file.
pub(super) struct Keyring(Vec<SignedPublicKey>);

impl Keyring {
    /// # Errors
    /// What is wrong with the file.
    pub(super) fn parse(content: &[u8]) -> Result<Self, Advice> {
        let mut keys = Vec::new();
        for block in blocks(content) {
            let (found, _) = PublicOrSecret::from_reader_many(block)
                .map_err(|error| format!("it holds no OpenPGP keys: {error}"))?;
            for key in found {
                match key.map_err(|error| format!("a key in it cannot be read: {error}"))? {
                    PublicOrSecret::Public(key) => keys.push(key),
                    PublicOrSecret::Secret(_) => {
                        return Err(Advice::new(
                            "it holds a secret key",
                            "write the public ones with gpg --export",
                        ));
                    }
                }
            }
        }
        if keys.is_empty() {
            let nothing = "it holds no OpenPGP keys, so every commit would be refused";
            return Err(nothing.to_owned().into());
        }
        Ok(Self(keys))
    }

    /// Whether the signature over `payload` is right, and its key valid `now` and when it was made.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn judge(
        &self,
        signature: &str,
        payload: &[u8],
        now: Timestamp,
    ) -> Result<(), String> {
        let (DetachedSignature { signature }, _) = DetachedSignature::from_string(signature)
            .map_err(|error| format!("its OpenPGP signature cannot be read: {error}"))?;
        let Some(created) = signature.created() else {
            return Err("its OpenPGP signature does not say when it was made".to_owned());
        };
        if signature.typ() != Some(SignatureType::Binary) {
            return Err("its OpenPGP signature is not one over data".to_owned());
        }
        let named = |candidate: &Candidate<'_>| candidate.is_named_by(&signature);
        let Some(candidate) = self.0.iter().flat_map(Candidate::of).find(named) else {
            return Err(format!(
                "it is signed by OpenPGP key {}, which the keyring does not have",
                issuer(&signature)
            ));
        };
        let key = candidate.name();
        candidate
            .verify(&signature, payload)
            .map_err(|error| format!("its signature by {key} does not fit the commit: {error}"))?;
        let times = [created.as_secs(), u32::try_from(now.as_second()).unwrap_or(u32::MAX)];
        sound(&signature)
            .and_then(|()| lasts(created, signature.signature_expiration_time(), &times))
            .map_err(|why| format!("its signature by {key} {why}"))?;
        candidate.valid(&times).map_err(|why| format!("it is signed by {key}, which {why}"))
    }
}

/// A binary file whole, an armored one block by block.
fn blocks(content: &[u8]) -> Vec<&[u8]> {
    let Ok(text) = std::str::from_utf8(content) else { return vec![content] };
    let starts: Vec<_> = text.match_indices(ARMOR).map(|(start, _)| start).collect();
    let ends = starts.iter().skip(1).copied().chain([content.len()]);
    starts.iter().zip(ends).map(|(start, end)| &content[*start..end]).collect()
}

/// The key that a signature says it is by.
fn issuer(signature: &Signature) -> String {
    let fingerprint = signature.issuer_fingerprint().first().map(|print| format!("{print:X}"));
    let id = || signature.issuer_key_id().first().map(|id| id.to_string().to_uppercase());
    fingerprint.or_else(id).unwrap_or_else(|| "without a name".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::signature::recorded;

    /// The keys are of 2024-01-01, the signatures of 2024-01-10.
    const LATER: &str = "2024-06-01T00:00:00Z";

    fn judge(keyring: &str, signature: &str, payload: &[u8], now: &str) -> Result<(), String> {
        let keyring = Keyring::parse(&recorded(keyring)).unwrap();
        let signature = String::from_utf8(recorded(signature)).unwrap();
        keyring.judge(&signature, payload, now.parse().unwrap())
    }

    /// What gpg made, judged with the ring of the same name.
    fn judged(case: &str, now: &str) -> Result<(), String> {
        judge(&format!("{case}.asc"), &format!("{case}.sig"), &recorded("payload"), now)
    }

    #[test]
    fn what_gpg_signs_with_a_valid_key_is_accepted() {
        for case in ["good", "rsa", "subkey", "extended"] {
            assert_eq!(judged(case, LATER), Ok(()), "{case}");
        }
        assert_eq!(judge("good.gpg", "good.sig", &recorded("payload"), LATER), Ok(()));
    }

    #[test]
    fn several_rings_in_one_file_are_one() {
        let both = [recorded("rsa.asc"), recorded("good.asc")].concat();
        let keyring = Keyring::parse(&both).unwrap();
        for case in ["good", "rsa"] {
            let signature = String::from_utf8(recorded(&format!("{case}.sig"))).unwrap();
            let now = LATER.parse().unwrap();
            assert_eq!(keyring.judge(&signature, &recorded("payload"), now), Ok(()), "{case}");
        }
    }

    #[test]
    fn a_key_counts_from_its_making_to_its_end() {
        assert_eq!(judged("expired", "2024-01-20T00:00:00Z"), Ok(()));
        let why = judged("expired", "2024-02-01T00:00:00Z").unwrap_err();
        assert!(why.ends_with("which expired at 2024-02-01T00:00:00Z"), "{why}");
        let why = judged("extended", "2025-02-01T00:00:00Z").unwrap_err();
        assert!(why.contains("which expired at 2025-01-01T"), "{why}");
        let why = judged("good", "2023-12-31T00:00:00Z").unwrap_err();
        assert!(why.contains("was made only at 2024-01-10T00:00:00Z"), "{why}");
    }

    #[test]
    fn a_key_that_its_owner_took_back_does_not_count() {
        for case in ["revoked", "revoked-subkey"] {
            let why = judged(case, LATER).unwrap_err();
            assert!(why.starts_with("it is signed by OpenPGP key "), "{case}: {why}");
            assert!(why.ends_with(", which is revoked"), "{case}: {why}");
        }
    }

    #[test]
    fn what_is_weak_does_not_count() {
        for (case, expected) in [
            ("sha1", "uses the hash SHA1, which is not safe any more"),
            ("short", "which is weak: RSA needs 2048 bits"),
            ("weakly-bound", "which its owner never signed with a hash that is safe today"),
        ] {
            let why = judged(case, LATER).unwrap_err();
            assert!(why.ends_with(expected), "{case}: {why}");
        }
    }

    #[test]
    fn another_text_or_an_unknown_key_is_told_by_the_key() {
        let why = judge("good.asc", "good.sig", b"something else", LATER).unwrap_err();
        assert!(why.starts_with("its signature by OpenPGP key "), "{why}");
        assert!(why.contains("does not fit the commit"), "{why}");
        let why = judge("rsa.asc", "good.sig", &recorded("payload"), LATER).unwrap_err();
        assert!(why.ends_with("which the keyring does not have"), "{why}");
    }

    #[test]
    fn a_subkey_that_the_primary_key_did_not_bind_does_not_count() {
        let mut foreign = Keyring::parse(&recorded("subkey.asc")).unwrap();
        foreign.0[0].primary_key =
            Keyring::parse(&recorded("good.asc")).unwrap().0[0].primary_key.clone();
        foreign.0[0].details = Keyring::parse(&recorded("good.asc")).unwrap().0[0].details.clone();
        let signature = String::from_utf8(recorded("subkey.sig")).unwrap();
        let why =
            foreign.judge(&signature, &recorded("payload"), LATER.parse().unwrap()).unwrap_err();
        assert!(why.contains("which is not bound for signing to "), "{why}");
    }

    #[test]
    fn a_file_without_public_keys_is_refused() {
        for content in [&b""[..], b"hello", b"\xff\xfe", recorded("good.sig").as_slice()] {
            Keyring::parse(content).err().unwrap();
        }
    }

    #[test]
    fn a_signature_that_cannot_be_read_is_refused() {
        let keyring = Keyring::parse(&recorded("good.asc")).unwrap();
        let mut text = String::from_utf8(recorded("good.sig")).unwrap();
        for cut in [40, 100, 200] {
            text.truncate(text.len().min(228 - cut));
            let why = keyring.judge(&text, &recorded("payload"), LATER.parse().unwrap());
            assert!(why.is_err(), "{cut}");
        }
    }
}
