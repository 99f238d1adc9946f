//! What the command line may say. Release builds know `--data-dir` only.

#[cfg(feature = "bridge")]
use std::net::SocketAddr;
use std::path::PathBuf;

/// The options of one run.
#[derive(Debug, Default)]
pub struct Options {
    /// Where the desk keeps its files; the platform's folder for application data when absent.
    pub data_dir: Option<PathBuf>,
    /// Serve the bridge here (development builds).
    #[cfg(feature = "bridge")]
    pub bridge: Option<SocketAddr>,
    /// The built UI that the bridge hands to a browser.
    #[cfg(feature = "bridge")]
    pub ui_dir: Option<PathBuf>,
    /// No window: engine and bridge only.
    pub headless: bool,
}

impl Options {
    /// Reads the process's arguments.
    pub fn from_process() -> Result<Self, String> {
        Self::from_arguments(std::env::args().skip(1))
    }

    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--data-dir" => options.data_dir = Some(value()?.into()),
                #[cfg(feature = "bridge")]
                "--bridge" => options.bridge = Some(value()?.parse().map_err(|_| "--bridge needs address:port")?),
                #[cfg(feature = "bridge")]
                "--ui-dir" => options.ui_dir = Some(value()?.into()),
                #[cfg(feature = "bridge")]
                "--headless" => options.headless = true,
                // A link or a file that the system hands over; nothing acts on it yet.
                link if link.starts_with("parley://") => {}
                other => return Err(format!("parley: unknown argument {other:?}")),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_arguments_are_refused_and_links_are_not_options() {
        let read = |text: &str| Options::from_arguments(text.split_whitespace().map(str::to_owned));
        assert!(read("--evil").is_err());
        assert!(read("--data-dir").is_err());
        assert!(read("parley://c/1").is_ok_and(|options| options.data_dir.is_none()));
        assert!(read("--data-dir somewhere").is_ok_and(|options| options.data_dir.is_some()));
    }
}
