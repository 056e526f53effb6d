// Preloaded into a daemon: goes wrong in its threads, but not in the main one, in the way that BREAK says, once the file
// that BREAK_WHEN names is there. (By way of Node's debugger it could be told so too, but that ends some processes by SIGSEGV.)
const { existsSync } = require('node:fs')
const { isMainThread } = require('node:worker_threads')

const ways = {
  throws() {
    throw new Error('broken here')
  },
  exits() {
    process.exit(0)
  },
  hangs() {
    for (;;);
  },
}

const { BREAK, BREAK_WHEN } = process.env
if (!isMainThread) {
  const looking = setInterval(() => {
    if (!existsSync(BREAK_WHEN)) return
    clearInterval(looking)
    ways[BREAK]()
  }, 10)
  looking.unref()
}
