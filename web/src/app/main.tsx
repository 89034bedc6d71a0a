import { createRoot } from 'react-dom/client';

import { loadSettings } from '../config/settings';
import { App } from './App';
import './app.css';

const element = document.getElementById('root');
if (element === null) throw new Error('the page has no root');
const root = createRoot(element);

loadSettings().then(
  (settings) => root.render(<App settings={settings} />),
  (error: unknown) => root.render(<p className="problem">{String(error)}</p>),
);
