//! How access is given and taken: an admin invites an agent and limits her to one inbox; she sets up a second factor, signs in
//! with it, sees that inbox alone; her device is revoked and nothing of hers is left on it. Two desks in real windows.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parley_meta::webhook::signature::{HEADER, sign};
use serde_json::json;
use totp_rs::{Algorithm, Secret, TOTP};
use xtask::cargo;
use xtask::desktop::Desktop;
use xtask::failure::Failure;

use crate::Fallible;
use crate::browser::Window;
use crate::meta::http;
use crate::stack::{APP_ID, APP_SECRET, Login, RHEA, SECOND_NUMBER_ID, Stack};
use crate::story::test_id;
use crate::transcript::Transcript;

const MIRA: Login = Login { name: "Mira Sandoval", email: "mira@casalumen.example", password: "linen-and-cedar-58" };
/// Written to the inbox that she may see.
const FOR_HER: &str = "Can I return the linen shade?";
/// How long a revoked desk may hold anything (quality of the promise: one minute).
const EMPTY_WITHIN: Duration = Duration::from_secs(60);

/// Plays it on a stack whose server runs, with the admin's desk in `admin`.
pub async fn play(
    desktop: &Desktop,
    stack: &Stack,
    admin: &Window,
    second_inbox: &str,
    transcript: &mut Transcript,
    logs: &Path,
) -> Fallible {
    let picture = transcript.step("An admin invites an agent to one inbox")?;
    admin.click(&test_id("nav-settings")).await?;
    admin.click(&test_id("settings-nav-members")).await?;
    admin.click(&test_id("invite-open")).await?;
    admin.type_into(&test_id("invite-email"), MIRA.email).await?;
    admin.click(&test_id(&format!("invite-inbox-{second_inbox}"))).await?;
    desktop.screenshot(&picture)?;
    admin.click(&test_id("invite-submit")).await?;
    prove_presence(admin, RHEA, "invite-token").await?;
    let invitation = admin.find(&test_id("invite-token")).await?.text().await?;
    transcript.seen("the invitation is shown once")?;
    admin.click(&test_id("invite-close")).await?;

    let picture = transcript.step("The agent takes the invitation on her own desk and sets up a second factor")?;
    let folder = stack.folder().join("mira");
    let window = open(desktop, &folder, logs).await?;
    window.click(&test_id("sign-in-invitation")).await?;
    window.type_into(&test_id("accept-code"), &invitation).await?;
    window.click(&test_id("accept-look")).await?;
    window.type_into(&test_id("accept-name"), MIRA.name).await?;
    window.type_into(&test_id("accept-password"), MIRA.password).await?;
    let accepted = Instant::now();
    window.click(&test_id("accept-submit")).await?;
    window.find(&online()).await?;
    transcript.measured("accepted → signed in, synced and online", accepted.elapsed())?;
    window.click(&test_id("nav-settings")).await?;
    window.click(&test_id("two-factor-set-up")).await?;
    prove_presence(&window, MIRA, "two-factor-secret").await?;
    let seed = window.find(&test_id("two-factor-secret")).await?.text().await?.replace(char::is_whitespace, "");
    window.find(&test_id("two-factor-qr")).await?;
    desktop.screenshot(&picture)?;
    window.type_into(&test_id("two-factor-code"), &code(&seed)?).await?;
    window.click(&test_id("two-factor-submit")).await?;
    window.find(&test_id("recovery-code")).await?;
    let codes = window.count(&test_id("recovery-code")).await?;
    transcript.seen(&format!("{codes} recovery codes, shown once"))?;
    window.close().await?;

    let picture = transcript.step("She signs in on a second desk with password and code, and sees that inbox alone")?;
    let folder = stack.folder().join("mira-second");
    let window = open(desktop, &folder, logs).await?;
    window.type_sign_in(&stack.address(), MIRA).await?;
    window.find(&test_id("sign-in-factor")).await?;
    // A code is good once: the one of this half minute was used to set it up.
    tokio::time::sleep(until_next_code()).await;
    window.type_into(&test_id("sign-in-code"), &code(&seed)?).await?;
    let entered = Instant::now();
    window.click(&test_id("sign-in-submit")).await?;
    window.find(&online()).await?;
    transcript.measured("code entered → signed in, synced and online", entered.elapsed())?;
    says_to_second_inbox(stack, FOR_HER).await?;
    window.click(&test_id("view-all_open")).await?;
    window.shows(&test_id("conversation-row"), "Leila Haddad").await?;
    let rows = window.count(&test_id("conversation-row")).await?;
    if rows != 1 {
        return Err(Failure::new(format!("she sees {rows} conversations, one is in her inbox")));
    }
    desktop.screenshot(&picture)?;
    transcript.seen("seven conversations in the workspace, one on her desk")?;

    let picture = transcript.step("Her device is revoked, and her desk is empty")?;
    admin.click(&test_id("settings-nav-teams")).await?;
    admin.click(&test_id("settings-nav-members")).await?;
    let row =
        format!("{}:has([title*=\"Mira\"], [aria-label*=\"Mira\"]) {}", test_id("member-row"), test_id("member-menu"));
    admin.click(&row).await?;
    admin.click(&test_id("member-devices")).await?;
    admin.find(&test_id("device-row")).await?;
    let devices = admin.count(&test_id("device-revoke")).await?;
    let started = Instant::now();
    for _ in 0..devices {
        admin.click(&test_id("device-revoke")).await?;
        admin.click(&test_id("revoke-confirm-yes")).await?;
        admin.lacks(&test_id("revoke-confirm-yes")).await?;
    }
    window.find(&test_id("sign-in-email")).await?;
    transcript.measured("revoked → her window asks to sign in", started.elapsed())?;
    while files_in(&folder)? > 0 {
        if started.elapsed() > EMPTY_WITHIN {
            return Err(Failure::new("files are left on the revoked desk"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    transcript.measured("revoked → no store of hers is left on that desk", started.elapsed())?;
    desktop.screenshot(&picture)?;
    window.close().await
}

async fn open(desktop: &Desktop, folder: &Path, logs: &Path) -> Fallible<Window> {
    let args = ["--data-dir".to_owned(), folder.to_string_lossy().into_owned()];
    Window::open(desktop, &cargo::program("parley"), &args, &logs.join("mira")).await
}

fn online() -> String {
    format!("{}[data-state=\"online\"]", test_id("status-connection"))
}

/// Gives the password again where it is asked for: signing in counts as proof for ten minutes. Then `next` is there.
async fn prove_presence(window: &Window, who: Login, next: &str) -> Fallible {
    let (next, asked) = (test_id(next), test_id("step-up-password"));
    window.find(&format!("{next}, {asked}")).await?;
    if window.count(&asked).await? > 0 {
        window.type_into(&asked, who.password).await?;
        window.click(&test_id("step-up-submit")).await?;
    }
    window.find(&next).await.map(drop)
}

fn code(seed: &str) -> Fallible<String> {
    let bytes = Secret::Encoded(seed.to_owned()).to_bytes().map_err(|_| Failure::new("the seed is no base32"))?;
    let totp = TOTP::new_unchecked(Algorithm::SHA1, 6, 1, 30, bytes, None, String::new());
    Ok(totp.generate(now()?.as_secs()))
}

#[expect(clippy::disallowed_methods, reason = "the codes of a second factor follow the system's clock")]
fn now() -> Fallible<Duration> {
    SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| Failure::new("the clock stands before 1970"))
}

fn until_next_code() -> Duration {
    now().map_or(Duration::ZERO, |now| Duration::from_secs(31 - now.as_secs() % 30))
}

/// A customer of the second number.
async fn says_to_second_inbox(stack: &Stack, text: &str) -> Fallible {
    let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "102290000000001", "changes": [{
        "field": "messages",
        "value": {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550100002", "phone_number_id": SECOND_NUMBER_ID},
            "contacts": [{"wa_id": "96171234567", "profile": {"name": "Leila Haddad"}}],
            "messages": [{
                "from": "96171234567", "id": "wamid.second.1",
                "timestamp": now()?.as_secs().to_string(), "type": "text", "text": {"body": text},
            }],
        },
    }]}]})
    .to_string();
    let signed = sign(APP_SECRET.as_bytes(), body.as_bytes());
    let url = format!("{}/webhooks/meta/{APP_ID}", stack.address());
    let request = http().post(url).header("content-type", "application/json").header(HEADER, signed).body(body);
    request.send().await?.error_for_status()?;
    Ok(())
}

/// Database files below a desk's folder.
fn files_in(folder: &Path) -> Fallible<usize> {
    let mut found = 0;
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found += usize::from(path.extension().is_some_and(|extension| extension == "db"));
            }
        }
    }
    Ok(found)
}
