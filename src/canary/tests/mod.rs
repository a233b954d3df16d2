//! Of the judge as a whole.
