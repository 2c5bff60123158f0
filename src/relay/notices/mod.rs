//! Notices: found behind the answer, and sent where the operator wants them.

mod deliver;
mod mail;
mod settings;
mod watch;
mod webhook;

pub use deliver::{Sender, deliver};
pub use mail::Mail;
pub use settings::{MailTls, NoticeSettings, SmtpSettings, WebhookSettings};
pub(super) use watch::Touched;
pub use watch::watch;
pub use webhook::Webhook;
