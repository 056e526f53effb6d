import { isMainThread } from 'node:worker_threads'

/** The `postern` command; in another thread of its daemon, that thread. Each loads no more than it needs. */
if (isMainThread) import('./cli/command.ts').then(({ run }) => run())
else import('./workers/thread.ts').then(({ serveBeside }) => serveBeside())
