// A function with fetch: prisn deploy examples/greet.js, then curl 'localhost:7331/fn/greet?name=Ada'
export default {
  async fetch(request, env) {
    const name = new URL(request.url).searchParams.get('name');
    if (name === null) return Response.json({ error: 'who? add ?name=…' }, { status: 400 });
    return new Response(`${env.GREETING ?? 'Hello'}, ${name}!\n`);
  },
};
