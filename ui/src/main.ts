import './app.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { restore } from './lib/state/settings.svelte';
import { begin } from './lib/state/session.svelte';

const target = document.getElementById('app');
if (target) {
  await restore();
  mount(App, { target });
  begin();
}
