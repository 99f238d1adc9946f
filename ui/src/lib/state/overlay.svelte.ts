// What lies over the screens, and wishes that one part of the window has of another.
class Overlay {
  open = $state<'palette' | 'help' | 'sign_out' | null>(null);
  /** A link that waits for a yes. */
  link = $state<string | null>(null);
  /** The composer should take the focus in this mode. */
  composerWanted = $state<'reply' | 'note' | null>(null);
  /** Counts wishes to show or hide the context panel. */
  contextToggled = $state(0);
}

export const overlay = new Overlay();
