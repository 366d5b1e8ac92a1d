"""Plans and outcomes as text, JSON and Markdown: functions from data to text, nothing printed."""
