"""The servers that `headgate up` brings along, and the supervisor that keeps all alive."""
