//! Signing in, and finding a session again.
//!
//! A session is 256 random bits in a cookie; the store has their keyed hash, and a row whose
//! MAC says that we wrote it. It ends when it was unused for 12 hours, after 7 days, and when
//! its user gets another password or role, or is disabled: the user's epoch is then another.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use zeroize::Zeroizing;

use super::{NoEntry, People, Verdict, change, identity_of};
use crate::accounts::{Deed, Doer, PasswordHash, SessionGrant, SessionRow, User, UserRole};
use crate::store::{Answer, Directory};
use crate::telemetry::clock;
use crate::vault::{MacParts, MacPurpose, Secret, SecretKind};

/// After so long unused a session has ended.
const IDLE: SignedDuration = SignedDuration::from_hours(12);
/// A session lasts no longer, however much it is used.
pub const LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How often it is written down that a session is used.
const USES: SignedDuration = SignedDuration::from_mins(1);
/// Of what a browser says of itself so many characters are kept.
const MOST_OF_AGENT: usize = 200;

/// Who tries to sign in.
pub struct SignIn<'a> {
    /// The name.
    pub name: &'a str,
    /// The password.
    pub password: Zeroizing<String>,
    /// From where.
    pub from: IpAddr,
    /// What the browser says of itself.
    pub agent: &'a str,
}

/// Somebody with a session that is good.
#[derive(Debug)]
pub struct SignedIn {
    /// Who.
    pub user: User,
    /// With which session.
    pub session: SessionRow,
}

impl SignedIn {
    /// Who does what it asks for, in the audit log.
    pub fn doer(&self) -> Doer {
        Doer::session(self.user.id, &self.session.grant.id)
    }

    /// Whether it is an operator.
    pub fn is_operator(&self) -> bool {
        self.user.identity.role == UserRole::Operator
    }

    fn csrf_parts(&self) -> MacParts {
        MacParts::new("csrf").text(&self.session.grant.id).text(&self.session.index)
    }
}

/// A session that has just begun, with what its cookie holds.
pub struct Started {
    /// What finds it.
    pub secret: Secret,
    /// Who signed in.
    pub signed_in: SignedIn,
}

impl People {
    /// Signs somebody in.
    ///
    /// A name that there is not, a wrong password and a disabled user are refused alike, after
    /// the same work.
    ///
    /// # Errors
    /// [`NoEntry`].
    pub async fn sign_in(&self, ask: SignIn<'_>) -> Result<Started, NoEntry> {
        let tried = self.limits.take(&*self.store, &self.vault, ask.from, Some(ask.name)).await?;
        let user = self.store.user_named(ask.name).await?;
        // Of a row that is not ours no hash is tried: its costs may be anybody's.
        let identity = user.as_ref().map(|user| identity_of(&self.vault, user));
        let hash = identity.as_ref().and_then(|identity| identity.password.as_ref());
        let verdict = self.passwords.check(ask.password.clone(), hash).await?;
        let is_enabled = identity.as_ref().is_some_and(|it| it.disabled_at.is_none());
        let Some(user) = user.filter(|_| is_enabled && verdict != Verdict::Wrong) else {
            return Err(NoEntry::Wrong);
        };
        tried.succeeded(&*self.store).await?;
        let user = match verdict {
            Verdict::RightButOld => self.rehashed(user, ask.password).await?,
            _ => user,
        };
        self.start(user, ask.agent).await
    }

    /// The session that a cookie's text finds, if it is good.
    ///
    /// # Errors
    /// The store's.
    pub async fn session(&self, cookie: &str) -> Answer<Option<SignedIn>> {
        let Some(secret) = Secret::parse(cookie) else { return Ok(None) };
        for index in self.vault.secret_indexes(SecretKind::Session, secret.expose_secret()) {
            let Some(session) = self.store.session(&index).await? else { continue };
            return self.admit(&index, session).await;
        }
        Ok(None)
    }

    /// Proved for where it was found: another's row that somebody put there is none.
    async fn admit(&self, index: &str, session: SessionRow) -> Answer<Option<SignedIn>> {
        let now = clock::now();
        let grant = &session.grant;
        let parts = session_parts(index, grant);
        if let Err(error) = self.vault.check_mac(MacPurpose::Row, &parts, &session.mac) {
            tracing::error!(user = grant.user.0, %error, "a session's row does not carry our MAC");
            return Ok(None);
        }
        let Some(user) = self.store.user(grant.user).await? else { return Ok(None) };
        let identity = identity_of(&self.vault, &user);
        let is_good = is_live(&session, now)
            && user.id == grant.user
            && identity.disabled_at.is_none()
            && identity.epoch == grant.epoch;
        if !is_good {
            return Ok(None);
        }
        if now.duration_since(session.used_at) >= USES {
            self.store.touch_session(&session.index, now).await?;
        }
        Ok(Some(SignedIn { user, session }))
    }

    /// Ends a session, for whoever has it.
    ///
    /// # Errors
    /// The store's.
    pub async fn sign_out(&self, signed_in: &SignedIn) -> Answer<()> {
        let grant = &signed_in.session.grant;
        self.store.end_session(grant.user, &grant.id).await.map(drop)
    }

    /// A user's sessions that are good, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn sessions_of(&self, user: &User) -> Answer<Vec<SessionRow>> {
        let now = clock::now();
        let mut rows = self.store.sessions_of(user.id).await?;
        rows.retain(|row| is_live(row, now) && row.grant.epoch == user.identity.epoch);
        rows.reverse();
        Ok(rows)
    }

    /// Gives a user another password, by who knows the old one. All its sessions end; the one
    /// that is answered begins.
    ///
    /// # Errors
    /// [`NoEntry`].
    pub async fn change_password(
        &self,
        signed_in: &SignedIn,
        from: IpAddr,
        old: Zeroizing<String>,
        new: Zeroizing<String>,
    ) -> Result<Started, NoEntry> {
        let user = &signed_in.user;
        let tried = self.limits.take(&*self.store, &self.vault, from, Some(&user.name)).await?;
        let hash = user.identity.password.as_ref();
        if self.passwords.check(old, hash).await? == Verdict::Wrong {
            return Err(NoEntry::Wrong);
        }
        tried.succeeded(&*self.store).await?;
        let hash = self.passwords.hash(new).await?;
        self.write_down(password_deed(user, signed_in.doer())).await?;
        let user = self.set_password(user, hash).await?;
        self.start(user, &signed_in.session.agent).await
    }

    /// Gives a user a password, and ends its sessions.
    pub(super) async fn set_password(
        &self,
        user: &User,
        hash: PasswordHash,
    ) -> Result<User, NoEntry> {
        let edit = |it: &mut crate::accounts::Identity| {
            it.password = Some(hash.clone());
            it.epoch += 1;
        };
        let directory: &dyn Directory = &*self.store;
        let changed = change(directory, &self.vault, user.id, edit).await?;
        self.end_sessions(user).await?;
        changed.ok_or(NoEntry::Wrong)
    }

    /// Takes away a user's sessions, which its epoch has made void already.
    ///
    /// # Errors
    /// The store's.
    pub async fn end_sessions(&self, user: &User) -> Answer<()> {
        for row in self.store.sessions_of(user.id).await? {
            self.store.end_session(user.id, &row.grant.id).await?;
        }
        Ok(())
    }

    /// The same password, hashed as is set now. A change by another hand comes first.
    async fn rehashed(&self, user: User, password: Zeroizing<String>) -> Result<User, NoEntry> {
        let hash: PasswordHash = self.passwords.hash(password).await?;
        let before = user.identity.password.clone();
        let edit = |it: &mut crate::accounts::Identity| {
            if it.password == before {
                it.password = Some(hash.clone());
            }
        };
        let directory: &dyn Directory = &*self.store;
        Ok(change(directory, &self.vault, user.id, edit).await?.unwrap_or(user))
    }

    pub(super) async fn start(&self, user: User, agent: &str) -> Result<Started, NoEntry> {
        let secret = Secret::generate()?;
        let now = clock::now();
        let grant = SessionGrant {
            id: format!("{:016x}", getrandom::u64()?),
            user: user.id,
            epoch: user.identity.epoch,
            created_at: now,
            ends_at: now + LIFE,
        };
        let index = self.vault.secret_index(SecretKind::Session, secret.expose_secret());
        let mac = self.vault.mac(MacPurpose::Row, &session_parts(&index, &grant));
        let agent = agent.chars().filter(|c| !c.is_control()).take(MOST_OF_AGENT).collect();
        let session = SessionRow { index, grant, mac, used_at: now, agent };
        self.store.add_session(session.clone()).await?;
        Ok(Started { secret, signed_in: SignedIn { user, session } })
    }

    /// What a page of a session must send along with what it changes.
    pub fn csrf_token(&self, signed_in: &SignedIn) -> String {
        self.vault.mac(MacPurpose::Csrf, &signed_in.csrf_parts())
    }

    /// Whether a page sent what it must.
    pub fn is_csrf_token(&self, signed_in: &SignedIn, token: &str) -> bool {
        self.vault.check_mac(MacPurpose::Csrf, &signed_in.csrf_parts(), token).is_ok()
    }
}

/// That a user gets a password.
pub(super) fn password_deed(user: &User, doer: Doer) -> Deed {
    Deed::new(doer, "user.password", "user", user.id).of(user.id)
}

fn is_live(session: &SessionRow, now: Timestamp) -> bool {
    session.grant.ends_at > now && session.used_at + IDLE > now
}

fn session_parts(index: &str, grant: &SessionGrant) -> MacParts {
    let grant = serde_json::to_string(grant).expect("a grant is plain data");
    MacParts::new("console_session").text(index).text(&grant)
}
