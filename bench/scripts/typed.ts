interface Greeting {
  readonly text: string;
}

const greeting: Greeting = { text: 'hello' };
console.log(greeting.text);
