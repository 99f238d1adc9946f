//! Mail out, by SMTP to the one host that the configuration names.
//!
//! Promise: without TLS to this machine only; nothing of a letter is logged; a letter is given up after 10 s.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use parley_domain::Email;

use crate::config::{Smtp, SmtpTls};
use crate::error::{Error, Result};

/// How long the host may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way out for mail.
#[derive(Debug)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Why a letter did not go out; says nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MailError {
    #[error("the letter cannot be written")]
    Unwritten,
    #[error("the host refused it for good")]
    Refused,
    #[error("the host could not be reached, or asked to try later")]
    Later,
}

impl Mailer {
    /// The way out that the configuration names.
    ///
    /// # Errors
    /// [`Error::Config`]: no sender, or no TLS to a host that is not this machine.
    pub fn new(smtp: &Smtp) -> Result<Self> {
        let refuse = |why: &str| Error::Config(format!("SMTP: {why}"));
        let from = smtp.from.parse().map_err(|_| refuse("the sender is no e-mail address"))?;
        let tls = || TlsParameters::new(smtp.host.clone()).map_err(|_| refuse("the host is no name for TLS"));
        let tls = match smtp.tls {
            SmtpTls::Wrapped => Tls::Wrapper(tls()?),
            SmtpTls::StartTls => Tls::Required(tls()?),
            SmtpTls::Off if matches!(smtp.host.as_str(), "127.0.0.1" | "localhost" | "::1") => Tls::None,
            SmtpTls::Off => return Err(refuse("without TLS to this machine only")),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(smtp.host.clone())
            .port(smtp.port)
            .tls(tls)
            .timeout(Some(PATIENCE));
        if let (Some(user), Some(password)) = (&smtp.user, &smtp.password) {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(Self { transport: builder.build(), from })
    }

    /// Sends a letter of plain text.
    ///
    /// # Errors
    /// It did not go out.
    pub async fn send(&self, to: &Email, subject: &str, text: &str) -> Result<(), MailError> {
        let to = to.expose().parse().map_err(|_| MailError::Unwritten)?;
        let letter = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .body(text.to_owned())
            .map_err(|_| MailError::Unwritten)?;
        match self.transport.send(letter).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(MailError::Refused),
            Err(_) => Err(MailError::Later),
        }
    }
}
