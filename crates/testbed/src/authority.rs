//! Where does a certificate come from that no authority of the world would give? From an authority
//! of the test's own.

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// Signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
#[derive(Debug)]
pub struct Issued {
    certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    /// A new one, which nobody knows.
    ///
    /// # Errors
    ///
    /// What the library of certificates says, which wants randomness.
    pub fn new() -> Result<Self, rcgen::Error> {
        let mut own = CertificateParams::new(Vec::new())?;
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Self(CertifiedIssuer::self_signed(own, KeyPair::generate()?)?))
    }

    /// Its own certificate, in PEM form: whoever has it trusts what this authority signs.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names and addresses.
    ///
    /// # Errors
    ///
    /// A name that cannot stand in a certificate.
    pub fn issue(&self, names: &[&str]) -> Result<Issued, rcgen::Error> {
        let key = KeyPair::generate()?;
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let certificate = CertificateParams::new(names)?.signed_by(&key, &self.0)?;
        Ok(Issued { certificate, key })
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Issued {
    /// The certificate in PEM form.
    #[must_use]
    pub fn certificate(&self) -> String {
        self.certificate.pem()
    }

    /// Its private key in PEM form.
    #[must_use]
    pub fn key(&self) -> String {
        self.key.serialize_pem()
    }

    /// The certificate and its private key (PKCS #8) in DER form.
    #[must_use]
    pub fn der(&self) -> (Vec<u8>, Vec<u8>) {
        (self.certificate.der().to_vec(), self.key.serialize_der())
    }
}
