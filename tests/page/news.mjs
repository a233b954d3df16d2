// The agent's news, as a program hears them.

// Hears the agent's server-sent events until one is as wanted; gives all that was heard, as it came.
export async function hear(agent, wanted, begin = async () => {}) {
  const ended = new AbortController();
  const answer = await fetch(`${agent}/api/v1/events`, { signal: ended.signal });
  await begin();
  let heard = '';
  try {
    for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
      heard += part;
      // A whole event ends with an empty line.
      if (heard.split('\n\n').slice(0, -1).some(wanted)) return heard;
    }
  } finally {
    ended.abort();
  }
  throw new Error(`the news ended: ${heard}`);
}
