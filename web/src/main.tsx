import './style.css';

import { createRoot } from 'react-dom/client';

import { App } from './app.tsx';
import { startClock } from './state/clock.ts';
import { resume } from './state/session.ts';

startClock();
void resume();
const place = document.getElementById('page');
if (place) createRoot(place).render(<App />);
