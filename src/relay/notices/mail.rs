//! Notices as mails, by the operator's mail server.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::settings::{MailTls, SmtpSettings};
use crate::accounts::Notice;

/// How long a mail server may take for each step, and for all.
const STEP: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(15);

/// A mail server, and who writes to whom.
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    /// A way to send mails; nothing is asked of the server yet.
    ///
    /// # Errors
    /// What is wrong, without the password.
    pub fn new(settings: &SmtpSettings, password: Option<&str>) -> Result<Self, String> {
        let address = |text: &str| -> Result<Mailbox, String> {
            text.parse().map_err(|_| format!("`{text}` is no mail address"))
        };
        let to = settings.to.iter().map(|text| address(text)).collect::<Result<Vec<_>, _>>()?;
        let from = address(&settings.from)?;
        let parameters = || {
            TlsParameters::new(settings.host.clone())
                .map_err(|error| format!("TLS can't be used: {error}"))
        };
        let (tls, usual) = match settings.tls {
            MailTls::Implicit => (Tls::Wrapper(parameters()?), 465),
            MailTls::Starttls => (Tls::Required(parameters()?), 587),
            MailTls::None => (Tls::None, 25),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port.unwrap_or(usual))
            .tls(tls)
            .timeout(Some(STEP));
        if let (Some(username), Some(password)) = (&settings.username, password) {
            transport = transport.credentials(Credentials::new(username.clone(), password.into()));
        }
        Ok(Self { transport: transport.build(), from, to })
    }

    /// Sends a notice; of a failure, why.
    pub(super) async fn send(&self, notice: &Notice) -> Result<(), String> {
        let mail = self.written(notice)?;
        let sent = tokio::time::timeout(PATIENCE, self.transport.send(mail)).await;
        match sent.map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))? {
            Ok(_) => Ok(()),
            // The server's own words may quote what was sent.
            Err(error) => Err(match error.status() {
                Some(code) => format!("it answers {code}"),
                None if error.is_timeout() => "it does not answer".into(),
                None if error.is_tls() => "TLS failed".into(),
                None => "no connection".into(),
            }),
        }
    }

    fn written(&self, notice: &Notice) -> Result<Message, String> {
        let text = notice.text();
        let id = format!("<{}@{}>", notice.message_id(), self.from.email.domain());
        let mut mail: MessageBuilder = Message::builder()
            .from(self.from.clone())
            .header(ContentType::TEXT_PLAIN)
            .subject(format!("[Tributary] {text}"))
            // The same however often it is tried.
            .message_id(Some(id));
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        mail.body(format!("{text}\n")).map_err(|error| error.to_string())
    }
}
