//! Who an OpenID provider says that somebody is: users are found by issuer and subject, which
//! lie with what else grants something of them, under the same MAC.

use std::net::IpAddr;

use super::limits::Try;
use super::sessions::Started;
use super::{NoEntry, People, change, identity_of};
use crate::accounts::{Deed, Doer, Identity, Subject, User, UserId};
use crate::store::{Answer, Directory};

impl People {
    /// Counts, in this process alone, that an address begins a sign-in at the provider.
    ///
    /// # Errors
    /// It does so too often.
    pub fn leave(&self, from: IpAddr) -> Result<(), NoEntry> {
        self.limits.take_one_here(from)
    }

    /// Counts that an address comes back from the provider.
    ///
    /// # Errors
    /// It does so too often; the store's.
    pub async fn come_back(&self, from: IpAddr) -> Result<Returning, NoEntry> {
        let tried = self.limits.take(&*self.store, &self.vault, from, None).await?;
        Ok(Returning(tried))
    }

    /// It succeeded: it counts no more.
    ///
    /// # Errors
    /// The store's.
    pub async fn returned(&self, Returning(tried): Returning) -> Answer<()> {
        tried.succeeded(&*self.store).await
    }

    /// Signs in whoever is known by this subject; nobody else of the same name or address.
    ///
    /// # Errors
    /// [`NoEntry::Unknown`]; [`NoEntry::Wrong`] for a disabled user; the store's.
    pub async fn sign_in_as(&self, subject: &Subject, agent: &str) -> Result<Started, NoEntry> {
        let user = self.user_known_as(subject).await?.ok_or(NoEntry::Unknown)?;
        if identity_of(&self.vault, &user).disabled_at.is_some() {
            return Err(NoEntry::Wrong);
        }
        self.start(user, agent).await
    }

    /// Makes a member who is known by this subject, and signs it in.
    ///
    /// # Errors
    /// [`NoEntry::Taken`] where there is a user of that name, whoever it is; the store's.
    pub async fn sign_up_as(
        &self,
        subject: &Subject,
        name: &str,
        agent: &str,
    ) -> Result<Started, NoEntry> {
        if self.store.user_named(name).await?.is_some() {
            return Err(NoEntry::Taken);
        }
        let identity = Identity { oidc: Some(subject.clone()), ..Identity::default() };
        let user = self.newcomer(name, identity).await?;
        let deed = Deed::new(Doer::GATEWAY, "user.add", "user", user.id).of(user.id);
        let deed = deed.with("name", name).with("role", user.identity.role.word());
        self.write_down(with(deed, subject)).await?;
        self.enrol(&user).await?;
        self.start(user, agent).await
    }

    /// Lets a user sign in as this subject, from a session of its that must still be good.
    ///
    /// # Errors
    /// [`NoEntry::Wrong`] where it is not; [`NoEntry::Connected`]; the store's.
    pub async fn connect(
        &self,
        (user, session): (UserId, &str),
        subject: &Subject,
    ) -> Result<(), NoEntry> {
        let user = self.store.user(user).await?.ok_or(NoEntry::Wrong)?;
        let is_signed_in = self.sessions_of(&user).await?.iter().any(|row| row.grant.id == session);
        if !is_signed_in || identity_of(&self.vault, &user).disabled_at.is_some() {
            return Err(NoEntry::Wrong);
        }
        if self.user_known_as(subject).await?.is_some_and(|other| other.id != user.id) {
            return Err(NoEntry::Connected);
        }
        let deed = Deed::new(Doer::session(user.id, session), "user.connect", "user", user.id);
        self.write_down(with(deed.of(user.id), subject)).await?;
        self.known_from_now_on(user.id, Some(subject)).await?;
        Ok(())
    }

    /// Takes a user's subject away: the provider lets it in no more.
    ///
    /// # Errors
    /// The store's.
    pub async fn disconnect(&self, user: UserId) -> Result<(), NoEntry> {
        self.known_from_now_on(user, None).await.map(drop)
    }

    /// Reads every user, as few sign in at a time.
    async fn user_known_as(&self, subject: &Subject) -> Answer<Option<User>> {
        let users = self.store.users().await?;
        let is_known = |user: &User| identity_of(&self.vault, user).oidc.as_ref() == Some(subject);
        // A row is proved only if it says the right thing.
        Ok(users
            .into_iter()
            .filter(|user| user.identity.oidc.as_ref() == Some(subject))
            .find(is_known))
    }

    async fn known_from_now_on(
        &self,
        user: UserId,
        subject: Option<&Subject>,
    ) -> Result<User, NoEntry> {
        let edit = |it: &mut Identity| it.oidc = subject.cloned();
        let directory: &dyn Directory = &*self.store;
        let changed = change(directory, &self.vault, user, edit).await?;
        changed.ok_or(NoEntry::Wrong)
    }
}

/// A try that was counted.
pub struct Returning(Try);

fn with(deed: Deed, subject: &Subject) -> Deed {
    deed.with("issuer", &subject.issuer).with("subject", &subject.subject)
}
