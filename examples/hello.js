console.log('Hello from prisn!');
