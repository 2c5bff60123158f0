//! Notices on their way out: each channel has a task that takes what is due, one gateway at
//! a time, and tries again what failed. Requests wait for none of it.
//!
//! At least once: a sender that is killed between the receiver's answer and the store's is
//! followed by another, with the same id.

use std::sync::Arc;
use std::time::Duration;

use super::mail::Mail;
use super::webhook::Webhook;
use crate::accounts::{Channel, Delivery, Notice};
use crate::store::{Answer, Store};
use crate::telemetry::Metrics;
use crate::telemetry::events::{NoticeSent, StoreFailed};
use crate::upstream::Client;

/// How often is looked what is due.
const EVERY: Duration = Duration::from_secs(1);

/// How many are taken at a time, and for how long: each may take ten seconds and a bit.
const A_TURN: usize = 8;
const LIFE: Duration = Duration::from_secs(180);

/// Pauses grow by four, from the first to the longest; so a receiver may be down for a day.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);
const MOST_TRIES: u32 = 11;

/// One way out.
pub enum Sender {
    /// Signed calls.
    Webhook(Webhook),
    /// Mails.
    Mail(Mail),
}

impl Sender {
    /// The channel that it empties.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Webhook(_) => Channel::Webhook,
            Self::Mail(_) => Channel::Mail,
        }
    }

    async fn send(&self, client: &Client, notice: &Notice) -> Result<(), String> {
        match self {
            Self::Webhook(webhook) => webhook.send(client, notice).await,
            Self::Mail(mail) => mail.send(notice).await,
        }
    }
}

/// Sends what is due on a channel, for as long as it lives.
pub async fn deliver(
    sender: Arc<Sender>,
    client: Client,
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
) {
    let mut every = tokio::time::interval(EVERY);
    loop {
        every.tick().await;
        if let Err(error) = empty(&sender, &client, &*store, &metrics).await {
            StoreFailed { metrics: &metrics, why: &error.to_string() }.emit();
        }
    }
}

async fn empty(
    sender: &Sender,
    client: &Client,
    store: &dyn Store,
    metrics: &Metrics,
) -> Answer<()> {
    let channel = sender.channel();
    loop {
        let due = store.claim_notices(channel, A_TURN, LIFE).await?;
        if due.is_empty() {
            return Ok(());
        }
        for Delivery { notice, tries } in due {
            let sent = sender.send(client, &notice).await;
            let (again, outcome) = match &sent {
                Ok(()) => (None, "sent"),
                Err(_) if tries >= MOST_TRIES => (None, "given_up"),
                Err(_) => (Some(pause_after(tries)), "failed"),
            };
            let (channel_name, why) = (channel.name(), sent.err().unwrap_or_default());
            NoticeSent { metrics, channel: channel_name, notice: notice.id, outcome, why: &why }
                .emit();
            store.end_delivery(channel, notice.id, again).await?;
        }
    }
}

fn pause_after(tries: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(4_u32.saturating_pow(tries.saturating_sub(1))).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_hours_and_all_of_them_to_a_day() {
        assert_eq!(pause_after(1), Duration::from_secs(5));
        assert_eq!(pause_after(2), Duration::from_secs(20));
        assert_eq!(pause_after(MOST_TRIES), LONGEST_PAUSE);
        let all: Duration = (1..MOST_TRIES).map(pause_after).sum();
        assert!(all > Duration::from_secs(24 * 3600), "{all:?}");
    }
}
