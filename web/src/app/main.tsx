import { createRoot } from 'react-dom/client';

import { homeOf } from '../config/home';
import { loadSettings } from '../config/settings';
import { App } from './App';
import './app.css';

const element = document.getElementById('root');
if (element === null) throw new Error('the page has no root');
const root = createRoot(element);

loadSettings().then(
  (settings) => {
    const home = homeOf(settings, new URL(window.location.href));
    if (home === undefined) root.render(<App settings={settings} />);
    else window.location.replace(home);
  },
  (error: unknown) => root.render(<p className="problem">{String(error)}</p>),
);
