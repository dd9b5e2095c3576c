//! How does JSON become events?
