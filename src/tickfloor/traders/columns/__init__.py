"""What rules read: columns in slots, computed bar by bar and, when somebody asks, for the forming bar."""
