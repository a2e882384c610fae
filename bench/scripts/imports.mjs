import { greeting } from './greeting.mjs';
import settings from './settings.json' with { type: 'json' };

console.log(greeting(settings.name));
