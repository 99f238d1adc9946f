// Browser parts that jsdom lacks.
if (typeof ResizeObserver === 'undefined') {
  globalThis.ResizeObserver = class {
    observe(): void {}
    unobserve(): void {}
    disconnect(): void {}
  };
}
Element.prototype.scrollIntoView ??= () => undefined;
