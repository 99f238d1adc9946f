import { describe, expect, it } from 'vitest';
import { format, inline, plain, type Inline } from './format';

const shape = (parts: Inline[]): string =>
  parts.map((part) => (part.kind === 'text' ? part.text : part.kind === 'link' ? `<${part.href}>` : part.kind === 'code' ? `[${part.text}]` : `${part.kind}(${shape(part.children)})`)).join('');

describe('marks inside a line', () => {
  it.each([
    ['*bold* and _italic_ and ~gone~', 'bold(bold) and italic(italic) and strike(gone)'],
    ['*bold _both_*', 'bold(bold italic(both))'],
    ['`a*b*c`', '[a*b*c]'],
    ['2*3*4 = 24', '2*3*4 = 24'],
    ['snake_case_name', 'snake_case_name'],
    ['* not bold *', '* not bold *'],
    ['*unclosed', '*unclosed'],
    ['**', '**'],
    ['(*yes*)', '(bold(yes))'],
    ['*نص عريض*', 'bold(نص عريض)'],
    ['*हिन्दी*', 'bold(हिन्दी)'],
    ['``', '``'],
  ])('%s', (text, expected) => expect(shape(inline(text))).toBe(expected));

  it('finds links and leaves the sentence its full stop', () => {
    expect(shape(inline('See https://example.com/a_b_c?x=1. Thanks'))).toBe('See <https://example.com/a_b_c?x=1>. Thanks');
    expect(shape(inline('www.example.com'))).toBe('<https://www.example.com>');
  });
  it('makes no link of other schemes', () => {
    for (const text of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd']) {
      expect(inline(text).every((part) => part.kind !== 'link')).toBe(true);
    }
  });
  it('keeps markup as text', () => {
    expect(inline('<img src=x onerror=alert(1)>')).toEqual([{ kind: 'text', text: '<img src=x onerror=alert(1)>' }]);
  });
  it('does not nest without end', () => {
    const hostile = '*_~'.repeat(400) + 'x' + '~_*'.repeat(400);
    const depth = (parts: Inline[]): number => Math.max(0, ...parts.map((part) => ('children' in part ? 1 + depth(part.children) : 0)));
    expect(depth(inline(hostile))).toBeLessThanOrEqual(4);
  });
});

describe('blocks', () => {
  it('reads quotes, lists and fences', () => {
    expect(format('> a\n> b\n- one\n- two\n3. three\n4. four\n```\ncode *x*\n```\nend').map((block) => block.kind)).toEqual(['quote', 'bullets', 'numbers', 'pre', 'line']);
  });
  it('keeps the first number of a list', () => {
    expect(format('7. seven')[0]).toMatchObject({ kind: 'numbers', start: 7 });
  });
  it('shows an unclosed fence as text', () => {
    expect(plain('```oops')).toBe('```oops');
  });
  it('keeps empty lines', () => {
    expect(format('a\n\nb')).toHaveLength(3);
  });
  it('reads 4,096 characters of marks fast enough to type beside', () => {
    const started = performance.now();
    format('*a '.repeat(1365));
    expect(performance.now() - started).toBeLessThan(400);
  });
});

describe('one-line previews', () => {
  it('drops the marks', () => expect(plain('*Hi* _there_\n- a\n- b')).toBe('Hi there a, b'));
});
