//! Whether an OpenPGP key may be believed.
//!
//! The library checks that a signature fits a key and its data. That the key's owner bound it for
//! signing, that it has not expired and was not revoked, and that nothing weak stands in between is
//! decided here.

use pgp::composed::{SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType, SubpacketData};
use pgp::types::{Duration, Fingerprint, KeyDetails, PublicParams, Tag, Timestamp};
use rsa::traits::PublicKeyParts;

/// The shortest RSA key whose signature counts, in bytes.
const SHORTEST_RSA: usize = 2048 / 8;

/// A key that may have signed something: a primary key, or one of its subkeys.
pub(super) struct Candidate<'a> {
    certificate: &'a SignedPublicKey,
    subkey: Option<&'a SignedPublicSubKey>,
}

impl<'a> Candidate<'a> {
    /// Every key of a certificate.
    pub(super) fn of(certificate: &'a SignedPublicKey) -> impl Iterator<Item = Self> {
        let subkeys = certificate.public_subkeys.iter().map(Some);
        std::iter::once(None).chain(subkeys).map(move |subkey| Self { certificate, subkey })
    }

    /// Whether this is the key that a signature says it is by.
    pub(super) fn is_named_by(&self, signature: &Signature) -> bool {
        let fingerprints = signature.issuer_fingerprint();
        if fingerprints.is_empty() {
            let id = match self.subkey {
                Some(subkey) => subkey.key.legacy_key_id(),
                None => self.certificate.primary_key.legacy_key_id(),
            };
            return signature.issuer_key_id().contains(&&id);
        }
        fingerprints.contains(&&self.fingerprint())
    }

    /// `OpenPGP key` and its fingerprint.
    pub(super) fn name(&self) -> String {
        format!("OpenPGP key {:X}", self.fingerprint())
    }

    fn fingerprint(&self) -> Fingerprint {
        match self.subkey {
            Some(subkey) => subkey.key.fingerprint(),
            None => self.certificate.primary_key.fingerprint(),
        }
    }

    /// Whether the signature fits the key and the data.
    pub(super) fn verify(
        &self,
        signature: &Signature,
        data: &[u8],
    ) -> Result<(), pgp::errors::Error> {
        match self.subkey {
            Some(subkey) => signature.verify(&subkey.key, data),
            None => signature.verify(&self.certificate.primary_key, data),
        }
    }

    /// Whether the key may sign, at all of these times (seconds since 1970).
    ///
    /// # Errors
    /// Why not, to follow `which`.
    pub(super) fn valid(&self, times: &[u32]) -> Result<(), String> {
        let primary = &self.certificate.primary_key;
        // A keyring belongs to whoever runs this, so a revocation in it is meant, whoever made it.
        let revoked = |signature: &Signature| {
            matches!(
                signature.typ(),
                Some(SignatureType::KeyRevocation | SignatureType::SubkeyRevocation)
            )
        };
        let details = &self.certificate.details;
        if details.revocation_signatures.iter().chain(&details.direct_signatures).any(revoked) {
            return Err("is revoked".to_owned());
        }
        strong(primary.public_params())?;
        let own = self.self_signature(times)?;
        lasts(primary.created_at(), own.key_expiration_time(), times)?;
        let Some(subkey) = self.subkey else {
            return may_sign(own);
        };
        if subkey.signatures.iter().any(revoked) {
            return Err("is revoked".to_owned());
        }
        strong(subkey.key.public_params())?;
        let binding = self.binding(subkey, times)?;
        lasts(subkey.key.created_at(), binding.key_expiration_time(), times)?;
        may_sign(binding)
    }

    /// What the owner last said about the primary key.
    fn self_signature(&self, times: &[u32]) -> Result<&'a Signature, String> {
        let Self { certificate, .. } = *self;
        let key = &certificate.primary_key;
        let direct = certificate
            .details
            .direct_signatures
            .iter()
            .filter(|signature| signature.verify_key(key).is_ok());
        let users = certificate.details.users.iter().flat_map(|user| {
            user.signatures.iter().filter(|signature| {
                signature.typ() != Some(SignatureType::CertRevocation)
                    && signature.verify_certification(key, Tag::UserId, &user.id).is_ok()
            })
        });
        newest(direct.chain(users), times)
            .ok_or_else(|| "its owner never signed with a hash that is safe today".to_owned())
    }

    /// What the owner last said about a subkey, which has to agree to belong to the primary key.
    fn binding(
        &self,
        subkey: &'a SignedPublicSubKey,
        times: &[u32],
    ) -> Result<&'a Signature, String> {
        let primary = &self.certificate.primary_key;
        let bound = subkey.signatures.iter().filter(|signature| {
            let back = signature.embedded_signature().filter(|back| sound(back).is_ok());
            signature.verify_subkey_binding(primary, &subkey.key).is_ok()
                && back.is_some_and(|back| {
                    back.verify_primary_key_binding(&subkey.key, primary).is_ok()
                })
        });
        newest(bound, times).ok_or_else(|| {
            format!(
                "is not bound for signing to {:X} with a hash that is safe today",
                primary.fingerprint()
            )
        })
    }
}

fn newest<'a>(
    signatures: impl Iterator<Item = &'a Signature>,
    times: &[u32],
) -> Option<&'a Signature> {
    let now = times.last().copied().unwrap_or_default();
    signatures
        .filter(|signature| sound(signature).is_ok())
        .filter(|signature| {
            let lasting =
                |created| lasts(created, signature.signature_expiration_time(), &[now]).is_ok();
            signature.created().is_some_and(lasting)
        })
        .max_by_key(|signature| signature.created())
}

fn may_sign(bound: &Signature) -> Result<(), String> {
    if bound.key_flags().sign() { Ok(()) } else { Err("is not for signing".to_owned()) }
}

/// Whether something that began `from` and ends after `length` lasts at all of these times.
pub(super) fn lasts(
    from: Timestamp,
    length: Option<Duration>,
    times: &[u32],
) -> Result<(), String> {
    let begin = u64::from(from.as_secs());
    let length = length.map(|length| u64::from(length.as_secs())).filter(|length| *length > 0);
    for time in times.iter().map(|time| u64::from(*time)) {
        if time < begin {
            return Err(format!("was made only at {}", shown(begin)));
        }
        if let Some(end) = length.map(|length| begin + length).filter(|end| time >= *end) {
            return Err(format!("expired at {}", shown(end)));
        }
    }
    Ok(())
}

fn shown(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|time| jiff::Timestamp::from_second(time).ok());
    time.map_or_else(|| seconds.to_string(), |time| time.to_string())
}

/// Whether nobody can make another text with this signature, and nothing in it has to be understood
/// that is not.
pub(super) fn sound(signature: &Signature) -> Result<(), String> {
    use HashAlgorithm::{Sha3_256, Sha3_512, Sha256, Sha384, Sha512};
    let Some(config) = signature.config() else {
        return Err("has a version that is not known".to_owned());
    };
    if !matches!(config.hash_alg, Sha256 | Sha384 | Sha512 | Sha3_256 | Sha3_512) {
        return Err(format!("uses the hash {}, which is not safe any more", config.hash_alg));
    }
    let unknown = |data: &SubpacketData| {
        use SubpacketData::{Experimental, Notation, Other};
        matches!(data, Experimental(..) | Notation(_) | Other(..))
    };
    if config.hashed_subpackets().any(|part| part.is_critical && unknown(&part.data)) {
        return Err("has a critical part that is not understood".to_owned());
    }
    Ok(())
}

fn strong(key: &PublicParams) -> Result<(), String> {
    match key {
        PublicParams::RSA(rsa) if rsa.key.size() < SHORTEST_RSA => {
            Err(format!("is weak: RSA needs {} bits", SHORTEST_RSA * 8))
        }
        PublicParams::DSA(_) | PublicParams::Elgamal(_) => {
            Err("is of a kind that is not safe any more".to_owned())
        }
        _ => Ok(()),
    }
}
