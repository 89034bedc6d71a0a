// The official JavaScript SDK through every story, in one format (FORMAT) by one transport (TRANSPORT).
import { chat } from './chat.mjs';
import { limits } from './limits.mjs';
import { recovery } from './recovery.mjs';
import { leaveStage } from './stage.mjs';
import { tokens } from './tokens.mjs';
import { views } from './views.mjs';

await chat();
await limits();
await recovery();
await tokens();
await views();
leaveStage();
