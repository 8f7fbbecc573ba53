"""Who is paged about an incident, when, and in which words. Pure."""
