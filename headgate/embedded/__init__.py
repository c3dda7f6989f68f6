"""The servers that `headgate up` starts on one machine, and the supervisor that keeps them alive."""
