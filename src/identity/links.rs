//! One-time links: for the first operator, and for a user's new password.
//!
//! A link is good once, for a day, and until a newer one of its purpose is made. Its secret is
//! shown to whoever made it; the store has its keyed hash.

use jiff::SignedDuration;
use zeroize::Zeroizing;

use super::sessions::{Started, password_deed};
use super::{NoEntry, People, identity_of};
use crate::accounts::{Deed, Doer, Identity, LinkPurpose, LinkRow, User, UserId, UserRole};
use crate::store::Answer;
use crate::telemetry::clock;
use crate::vault::{MacParts, MacPurpose, Secret, SecretKind};

/// How long a link is good.
pub const LINK_LIFE: SignedDuration = SignedDuration::from_hours(24);

impl People {
    /// Whether there is an operator that can act.
    ///
    /// # Errors
    /// The store's.
    pub async fn has_operator(&self) -> Answer<bool> {
        let is_one = |user: &User| identity_of(&self.vault, user).is_acting_operator();
        Ok(self.store.users().await?.iter().any(is_one))
    }

    /// The secret of a link that makes the first operator; `None` where there is one.
    ///
    /// # Errors
    /// The store's, or no random bytes.
    pub async fn setup_link(&self) -> Result<Option<String>, NoEntry> {
        if self.has_operator().await? {
            return Ok(None);
        }
        self.new_link(LinkPurpose::Setup).await.map(Some)
    }

    /// The secret of a link that gives a user a new password.
    ///
    /// # Errors
    /// The store's, or no random bytes.
    pub async fn password_link(&self, user: UserId) -> Result<String, NoEntry> {
        let secret = self.new_link(LinkPurpose::Password(user)).await?;
        Ok(format!("{user}.{secret}"))
    }

    /// Makes the first operator, and signs it in. What is wrong with the name must have been
    /// found before: the link is used up when it is taken.
    ///
    /// # Errors
    /// [`NoEntry`].
    pub async fn set_up(
        &self,
        link: &str,
        name: &str,
        password: Zeroizing<String>,
        agent: &str,
    ) -> Result<Started, NoEntry> {
        let row = self.good_link(LinkPurpose::Setup, link).await?;
        if self.has_operator().await? {
            return Err(NoEntry::NoLink);
        }
        if self.store.user_named(name).await?.is_some() {
            return Err(NoEntry::Taken);
        }
        let hash = self.passwords.hash(password).await?;
        let identity = Identity {
            role: UserRole::Operator,
            password: Some(hash),
            epoch: 1,
            ..Identity::default()
        };
        let user = self.newcomer(name, identity).await?;
        // Before the link is used up: an operator that can't be written down is none.
        let deed = Deed::new(Doer::GATEWAY, "user.setup", "user", user.id).of(user.id);
        self.write_down(deed.with("name", name)).await?;
        if !self.store.take_link(&row).await? {
            return Err(NoEntry::NoLink);
        }
        self.enrol(&user).await?;
        self.start(user, agent).await
    }

    /// Gives the user of a link a password, and signs it in.
    ///
    /// # Errors
    /// [`NoEntry`].
    pub async fn set_password_by_link(
        &self,
        link: &str,
        password: Zeroizing<String>,
        agent: &str,
    ) -> Result<Started, NoEntry> {
        let (user, secret) = link.split_once('.').ok_or(NoEntry::NoLink)?;
        let user = UserId(user.parse().map_err(|_| NoEntry::NoLink)?);
        let row = self.good_link(LinkPurpose::Password(user), secret).await?;
        let user = self.store.user(user).await?.ok_or(NoEntry::NoLink)?;
        if identity_of(&self.vault, &user).disabled_at.is_some() {
            return Err(NoEntry::NoLink);
        }
        let hash = self.passwords.hash(password).await?;
        self.write_down(password_deed(&user, Doer::GATEWAY)).await?;
        if !self.store.take_link(&row).await? {
            return Err(NoEntry::NoLink);
        }
        let user = self.set_password(&user, hash).await?;
        self.start(user, agent).await
    }

    async fn new_link(&self, purpose: LinkPurpose) -> Result<String, NoEntry> {
        let secret = Secret::generate()?;
        let index = self.vault.secret_index(SecretKind::Link, secret.expose_secret());
        let mut row =
            LinkRow { index, purpose, ends_at: clock::now() + LINK_LIFE, mac: String::new() };
        row.mac = self.vault.mac(MacPurpose::Row, &link_parts(&row));
        self.store.keep_link(row).await?;
        Ok(secret.expose_secret().to_owned())
    }

    async fn good_link(&self, purpose: LinkPurpose, secret: &str) -> Result<LinkRow, NoEntry> {
        let indexes = self.vault.secret_indexes(SecretKind::Link, secret);
        let row = self.store.link(purpose).await?.ok_or(NoEntry::NoLink)?;
        let is_good = row.purpose == purpose
            && indexes.contains(&row.index)
            && self.vault.check_mac(MacPurpose::Row, &link_parts(&row), &row.mac).is_ok()
            && row.ends_at > clock::now();
        is_good.then_some(row).ok_or(NoEntry::NoLink)
    }
}

fn link_parts(row: &LinkRow) -> MacParts {
    let ends_at = row.ends_at.as_millisecond();
    MacParts::new("one_time_link").text(&row.index).text(&row.purpose.slot()).number(ends_at)
}
