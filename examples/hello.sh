echo "Hello from $0!"
