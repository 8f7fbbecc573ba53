"""What words mean whatever the tone: severity, kind and aspect, from tables of terms. Pure."""
