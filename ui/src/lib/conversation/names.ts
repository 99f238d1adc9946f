// How a contact is called when the name is not known, and what stands for content without words.
import type { Content, ConversationRow, Preview } from '../ipc/generated';
import { t, tMaybe } from '../i18n/i18n.svelte';

export const contactName = (row: Pick<ConversationRow, 'name' | 'username' | 'phone'>): string =>
  row.name ?? (row.username ? `@${row.username.replace(/^@/u, '')}` : null) ?? row.phone ?? t('contact.unnamed');

/** A phone number in groups, as the source wrote it when it has groups already. */
export function phone(number: string): string {
  if (/[\s-]/u.test(number)) return number;
  const digits = number.replace(/\D/gu, '');
  return `+${digits.replace(/(\d{2,3})(?=(\d{3,4})+$)/gu, '$1 ').trim()}`;
}

/** The words for a kind of content in lists, quotes and labels for screen readers. */
export function kindOf(type: string, media: string | null = null): string {
  return type === 'media' ? tMaybe(`content.${media ?? 'media'}`, 'content.media') : tMaybe(`content.${type}`, 'content.unsupported');
}

export const previewText = (preview: Preview): string => preview.text || kindOf(preview.content_type, preview.media_kind);

/** What an entry says, in one line without marks: for screen readers and clipboard. */
export function spoken(content: Content): string {
  switch (content.type) {
    case 'text':
    case 'template':
      return content.body;
    case 'media':
      return [kindOf('media', content.voice ? 'voice' : content.kind), content.caption ?? content.filename ?? ''].filter(Boolean).join(': ');
    case 'choice':
      return content.title;
    case 'location':
      return [kindOf('location'), content.name ?? content.address ?? ''].filter(Boolean).join(': ');
    default:
      return kindOf(content.type);
  }
}
