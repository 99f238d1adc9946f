//! What a story leaves behind: `transcript.md` with each step, its measured latencies and a picture of the real window.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Fallible;

/// A transcript in the making. Every step is written at once, so that a failed story tells how far it came.
pub struct Transcript {
    folder: PathBuf,
    text: String,
    steps: usize,
}

impl Transcript {
    /// An empty transcript in an empty folder.
    pub fn new(folder: &Path, title: &str) -> Fallible<Self> {
        fs::create_dir_all(folder)?;
        for entry in fs::read_dir(folder)?.flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "png" || extension == "md") {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { folder: folder.to_owned(), text: format!("# {title}\n"), steps: 0 })
    }

    /// Starts a step and names its picture.
    pub fn step(&mut self, title: &str) -> Fallible<PathBuf> {
        self.steps += 1;
        println!("{:>2}. {title}", self.steps);
        let picture = format!("step-{:02}.png", self.steps);
        let _ = write!(self.text, "\n## {}. {title}\n\n![{title}]({picture})\n\n", self.steps);
        self.save()?;
        Ok(self.folder.join(picture))
    }

    /// A measured figure of the present step.
    pub fn measured(&mut self, what: &str, took: Duration) -> Fallible {
        println!("      {what}: {:.0} ms", took.as_secs_f64() * 1_000.0);
        let _ = writeln!(self.text, "- {what}: **{:.0} ms**", took.as_secs_f64() * 1_000.0);
        self.save()
    }

    /// Something seen in the present step.
    pub fn seen(&mut self, what: &str) -> Fallible {
        println!("      {what}");
        let _ = writeln!(self.text, "- {what}");
        self.save()
    }

    fn save(&self) -> Fallible {
        Ok(fs::write(self.folder.join("transcript.md"), &self.text)?)
    }
}
